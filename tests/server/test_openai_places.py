"""Places of the scheduler through OpenAI's own client: none where there are too few, free once a client has left."""

from __future__ import annotations

import pytest
from serving import until

from pellucid.generation import scoring

openai = pytest.importorskip("openai")

RUN = "farm-1"
CONTEXT = 128


def test_more_replies_than_there_are_places_are_none(start, runs):
    live = start(runs, most_running=2, most_waiting=2)
    own = openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        own.completions.create(model=RUN, prompt="The", n=5, max_tokens=2)
    assert caught.value.code == "rate_limit_exceeded" and caught.value.response.headers["retry-after"] == "1"
    assert live.house.scheduler.n_waiting == live.house.scheduler.n_running == 0
    assert len(own.completions.create(model=RUN, prompt="The", n=4, max_tokens=2).choices) == 4


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_stops_all_replies(start, endless, stream):
    live = start(endless)
    passes: list[int] = []
    live.house.models.get().loaded.model.register_forward_pre_hook(lambda *_: passes.append(1))
    own = openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0, timeout=1)
    asked = {"model": RUN, "prompt": ["The", "A"], "n": 3, "max_tokens": 100_000}
    if stream:
        told = own.completions.create(**asked, stream=True)
        next(iter(told))
        told.close()
    else:
        with pytest.raises(openai.APITimeoutError):
            own.completions.create(**asked, extra_body={"ignored": True})
    until(lambda: live.house.scheduler.n_running == 0)
    assert len(passes) < 4096


def test_leaving_stops_the_reading(start, runs, monkeypatch):
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 1)  # a token at a time
    live = start(runs)
    passes: list[int] = []
    live.house.models.get().loaded.model.register_forward_pre_hook(lambda *_: passes.append(1))
    own = openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0, timeout=0.2)
    asked = {"model": RUN, "prompt": [[1] * CONTEXT] * 32, "max_tokens": 0, "echo": True, "logprobs": 0}
    with pytest.raises(openai.APITimeoutError):
        own.completions.create(**asked)

    def at_rest() -> bool:
        before = len(passes)
        live.client.get("/health")
        return len(passes) == before

    until(at_rest)
    assert 0 < len(passes) < 32 * (CONTEXT - 1)
