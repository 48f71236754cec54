"""Conversations are kept with their run, and can be deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Client, serving

from pellucid.server import chats

TURNS = [
    {"role": "user", "content": "Who  goes\nthere? 🦆"},
    {
        "role": "assistant",
        "content": "<img onerror=alert(1)>",
        "tokens": [{"id": 5, "text": "<", "delta": "<", "bits": 2.5, "rank": 0}, {"id": 6, "text": "\\xe2"}],
        "finish_reason": "stop",
        "notes": ["The prompt was too long."],
    },
]
CHATS = "/api/runs/farm-1/chats"


@pytest.fixture
def live(finished_run: Path) -> Iterator[Client]:
    with serving(finished_run.parent) as client:
        yield client


def test_a_chat_is_kept_read_listed_and_deleted(live: Client, finished_run: Path):
    line = live.ok("PUT", f"{CHATS}/first-1", json={"messages": TURNS})
    assert (line["id"], line["title"], line["messages"]) == ("first-1", "Who goes there? 🦆", 2)
    assert live.ok("GET", f"{CHATS}/first-1") == {"id": "first-1", "title": line["title"], "messages": TURNS}
    live.ok("PUT", f"{CHATS}/second", json={"messages": []})
    os.utime(finished_run / "chats" / "second.json", (1e9, 1e9))  # two within a tick of the clock are as old
    live.ok("PUT", f"{CHATS}/first-1", json={"messages": TURNS[:1]})
    assert [chat["id"] for chat in live.ok("GET", CHATS)["chats"]] == ["first-1", "second"]
    assert (
        json.loads((finished_run / "chats" / "first-1.json").read_text(encoding="utf-8"))["messages"]
        == TURNS[:1]
    )
    assert live.ok("DELETE", f"{CHATS}/first-1") == {"deleted": "first-1"}
    live.refused("DELETE", f"{CHATS}/first-1", 404, "no chat first-1")
    live.refused("GET", f"{CHATS}/first-1", 404, "no chat first-1")
    assert live.ok("DELETE", CHATS) == {"deleted": 1}
    assert live.ok("GET", CHATS) == {"chats": []}
    assert not (finished_run / "chats").exists()


@pytest.mark.parametrize(
    "chat", ["..%2fconfig", "%2e%2e", "a%2fb", "A", "a.json", "x" * 41, "a b", "ä", "a%00"]
)
def test_an_id_is_only_ever_a_file_right_there(live: Client, chat: str, finished_run: Path):
    before = sorted(path.name for path in finished_run.iterdir())
    for method, body in (("GET", None), ("PUT", {"messages": []}), ("DELETE", None)):
        answer = live.request(method, f"{CHATS}/{chat}", json=body)
        assert answer.status_code in (400, 404, 405), answer.text
        assert answer.json()["error"]["message"]
    assert sorted(path.name for path in finished_run.iterdir()) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": "x"},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": "x", "more": 1}]},
        {"messages": [{"role": "user", "content": "x", "tokens": [{"id": -1, "text": ""}]}]},
        {"messages": [{"role": "user", "content": "x"}] * (chats.MOST_MESSAGES + 1)},
        {"messages": [{"role": "user", "content": "x" * (chats.LONGEST_MESSAGE + 1)}]},
    ],
)
def test_what_is_no_chat_is_refused(live: Client, body: object):
    live.refused("PUT", f"{CHATS}/a", 400, json=body)
    assert live.ok("GET", CHATS) == {"chats": []}


def test_sizes_are_bounded(live: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chats, "CHAT_BYTES", 500)
    monkeypatch.setattr(chats, "MOST_CHATS", 1)
    long = {"messages": [{"role": "user", "content": "ä" * 300}]}
    live.refused("PUT", f"{CHATS}/a", 413, "begin a new one", json=long)
    live.ok("PUT", f"{CHATS}/a", json={"messages": TURNS[:1]})
    live.refused("PUT", f"{CHATS}/b", 413, "delete some", json={"messages": []})
    live.ok("PUT", f"{CHATS}/a", json={"messages": []})


def test_lone_surrogates_do_no_harm(live: Client):
    content = b'{"messages":[{"role":"user","content":"a\\ud800b"}]}'
    answer = live.put(f"{CHATS}/a", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400), answer.text
    assert live.get(CHATS).status_code == 200


def test_a_damaged_chat_is_listed_so_that_it_can_be_deleted(live: Client, finished_run: Path):
    live.ok("PUT", f"{CHATS}/good", json={"messages": TURNS})
    (finished_run / "chats" / "torn.json").write_text('{"mess')
    (finished_run / "chats" / "other.json").write_text('{"title": 5, "messages": [{"role": 1}]}')
    found = {chat["id"]: chat["title"] for chat in live.ok("GET", CHATS)["chats"]}
    assert found["torn"] == "cannot be read: the file is damaged"
    assert set(found) == {"good", "torn", "other"}
    live.refused("GET", f"{CHATS}/torn", 400, "damaged")
    live.refused("GET", f"{CHATS}/other", 400, "damaged")
    live.ok("DELETE", f"{CHATS}/torn")


def test_chats_go_with_the_run(live: Client, finished_run: Path):
    live.ok("PUT", f"{CHATS}/a", json={"messages": TURNS})
    live.ok("DELETE", "/api/runs/farm-1")
    assert not finished_run.exists()
    live.refused("PUT", f"{CHATS}/a", 404, "no run called", json={"messages": TURNS})
