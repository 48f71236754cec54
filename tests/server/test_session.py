"""What a client asks first."""

from __future__ import annotations

from pellucid.text.corpora.registry import CORPORA


def test_a_client_learns_what_a_corpus_costs_before_it_is_fetched(server):
    told = {each["name"]: each for each in server.client.get("/api/session").json()["corpora"]}
    assert list(told) == list(CORPORA)
    large = told["tinystories:train"]
    assert large["bytes"] == 2_227_753_162 and large["about"].endswith("2.23 GB to fetch")
    assert told["lesson"]["bytes"] == 0 and told["lesson"]["preset"] == "lesson"
    assert told["gutenberg:NUMBER"]["bytes"] is None
