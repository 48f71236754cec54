"""Conversations over the wire: plain, streamed, branched, cancelled, and many at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import torch
from loops import finished
from patience import PATIENCE
from serving import until

from pellucid.api import load
from pellucid.generation.conversation import Conversation
from pellucid.generation.options import SamplingOptions


def events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def test_a_reply_is_what_the_terminal_would_say(server, trained):
    answer = server.chat("The cat", seed=3, max_tokens=40).json()
    run = load(trained / "farm-1", "cpu")
    options = SamplingOptions(temperature=0.5, top_k=25, max_tokens=40, seed=3)
    expected = "".join(Conversation(run.engine(), options, "YOU", "PELLUCID").reply("The cat"))
    assert answer["reply"] == expected and len(expected) > 10
    assert answer["finish_reason"] in ("stop", "length")
    assert answer["stamp"] == {"run": "farm-1", "step": run.step, "kind": "best"}


def test_only_the_message_is_needed_and_history_counts(server):
    assert set(server.client.post("/api/chat", json={"message": "Hello"}).json()) >= {
        "reply",
        "finish_reason",
    }
    history = [
        {"role": "user", "content": "The dog"},
        {"role": "assistant", "content": "barks under the oak."},
    ]
    with_it = server.chat("The cow", seed=1, history=history).json()["reply"]
    assert with_it != server.chat("The cow", seed=1).json()["reply"]
    system = [{"role": "system", "content": "The owl hoots behind the mill."}]
    assert server.chat("The cow", seed=1, history=system).json()["reply"] != with_it


def test_the_stream_is_the_reply_in_pieces(server):
    asked = {"message": "The cat", "seed": 3, "max_tokens": 40}
    whole = server.chat(**asked).json()
    *pieces, done = events(server.client.post("/api/chat/stream", json=asked))
    assert "".join(piece["delta"] for piece in pieces) == whole["reply"]
    assert all(set(piece) == {"delta"} and piece["delta"] for piece in pieces) and len(pieces) > 5
    assert done == {"done": True, **{key: whole[key] for key in ("finish_reason", "notes", "stamp")}}


def test_every_token_is_told_with_its_rank_and_bits(server, trained):
    asked = {
        "message": "The cat",
        "seed": 3,
        "max_tokens": 30,
        "tokens": True,
        "temperature": 1.2,
        "top_k": 0,
    }
    whole = server.chat(**asked).json()
    *pieces, _ = events(server.client.post("/api/chat/stream", json=asked))
    assert [piece["token"] for piece in pieces] == whole["tokens"]
    run = load(trained / "farm-1", "cpu")
    ids = run.tokenizer.encode("YOU:\nThe cat\n\nPELLUCID:\n").tolist()
    for token in whole["tokens"]:
        logits = run.model(torch.tensor([ids]))[0, -1]
        assert 2 ** -token["bits"] == pytest.approx(
            logits.softmax(-1)[token["id"]].item(), rel=0.01, abs=1e-4
        )
        assert token["rank"] == int((logits > logits[token["id"]]).sum()) + 1
        assert token["text"] == run.tokenizer.token_text(token["id"])
        ids.append(token["id"])


def test_another_token_continues_from_there(server):
    asked = {"message": "The cat", "seed": 3, "max_tokens": 30, "tokens": True}
    tokens = server.chat(**asked).json()["tokens"]
    ids = [token["id"] for token in tokens]
    told = server.client.post("/api/chat/alternatives", json={**asked, "reply_ids": ids, "index": 4}).json()
    assert told["token"] == {**tokens[4], "probability": told["token"]["probability"]}
    ranks = [other["rank"] for other in told["alternatives"]]
    assert ranks == sorted(ranks) and ranks[0] == 1 and len(ranks) == 12
    assert sum(other["probability"] for other in told["alternatives"]) <= 1.0001
    other = next(one for one in told["alternatives"] if one["id"] != ids[4] and one["text"].isalpha())
    branch = server.chat(**asked, reply_ids=[*ids[:4], other["id"]]).json()
    assert [token["id"] for token in branch["tokens"]][:5] == [*ids[:4], other["id"]]
    assert branch["tokens"][4]["bits"] == pytest.approx(other["bits"], abs=1e-3)
    same = server.chat(**asked, reply_ids=ids[:5]).json()
    assert same["tokens"] == tokens  # its own token changes nothing


def test_what_is_cropped_is_told(server):
    *_, done = found = events(server.client.post("/api/chat/stream", json={"message": "word " * 200}))
    assert "only the last" in found[0]["notes"][0] and done["notes"] == found[0]["notes"]


def test_emoji_travel_whole(start, train_tiny, tmp_path):
    text = tmp_path / "emoji.txt"
    text.write_text("The cat 👩‍🚀 sees 🇩🇪 and the cow 🦆 moos.\n" * 300, encoding="utf-8")
    train_tiny(tmp_path / "runs" / "emoji", text, steps=2, tokenizer="bpe", vocab_size=280, context_length=64)
    live = start(tmp_path / "runs")
    asked = {"message": "🦆", "seed": 1, "temperature": 30, "top_k": 0, "max_tokens": 120, "tokens": True}
    *pieces, _ = events(live.client.post("/api/chat/stream", json=asked))
    reply = "".join(piece["delta"] for piece in pieces)
    assert reply == live.chat(**{**asked, "message": "🦆"}).json()["reply"]
    assert any(ord(letter) > 127 for letter in reply)
    ids = [piece["token"]["id"] for piece in pieces]
    tokenizer = load(tmp_path / "runs" / "emoji", "cpu").tokenizer
    assert reply.strip() in tokenizer.decode(ids)


# ---------------------------------------------------------------------- many, and few


def test_32_clients_at_once_are_served_and_not_mixed_up(server):
    bodies = [
        {"message": f"The {animal} {i}", "seed": i, "max_tokens": 20 + i, "temperature": 0.5 + i % 2 / 2}
        for i, animal in enumerate(["cat", "dog", "cow", "owl"] * 8)
    ]

    async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
        async with client.stream("POST", "/api/chat/stream", json=body) as response:
            assert response.status_code == 200
            lines = [json.loads(line[6:]) async for line in response.aiter_lines() if line]
        assert lines[-1]["done"]
        return "".join(line.get("delta", "") for line in lines)

    async def all_at_once() -> list[str]:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, limits=limits) as client:
            return await asyncio.gather(*(ask(client, body) for body in bodies))

    together = finished(all_at_once())
    alone = [server.client.post("/api/chat", json=body).json()["reply"] for body in bodies]
    assert together == alone
    assert len(set(alone)) > 25


def slow_body(**fields: Any) -> dict[str, Any]:
    """One that is written for a long time."""
    return {
        "message": "x",
        "model_name": "\u00a0Q",
        "max_tokens": 4096,
        "temperature": 1.5,
        "seed": 1,
        **fields,
    }


def wait_for_the_end(live: Any) -> None:
    until(lambda: live.house.scheduler.n_running + live.house.scheduler.n_waiting == 0)


class Held:
    """The model waits before its pass number `at` until it is let go: no reply ends while a test looks."""

    def __init__(self, live: Any, at: int = 5) -> None:
        self.passes = 0
        self.at, self._go = at, threading.Event()
        live.house.models.get().loaded.model.register_forward_pre_hook(self._pass)

    def _pass(self, *_: object) -> None:
        self.passes += 1
        if self.passes == self.at:
            assert self._go.wait(PATIENCE), "nobody let it go"

    def go(self) -> None:
        self._go.set()


@contextlib.contextmanager
def asking(live: Any, path: str, **fields: Any) -> Iterator[None]:
    """A client that asks for something long, and leaves at the end of the block, whatever it has got by then."""

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=live.url, timeout=PATIENCE) as client:
            asked = asyncio.create_task(client.post(path, json=slow_body(**fields)))
            await asyncio.to_thread(leave.wait, PATIENCE)
            assert not asked.done()
            asked.cancel()
            await asyncio.wait({asked})

    leave = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(asyncio.run, ask())
        try:
            yield
        finally:
            leave.set()
            asked.result()


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
def test_a_client_that_leaves_stops_the_model_at_the_next_token(start, endless, path):
    live = start(endless)
    model = Held(live)
    with asking(live, path):
        until(lambda: model.passes == model.at)  # in the midst of writing
        (stream,) = live.house.scheduler._running.values()
    until(lambda: stream.cancelled)
    model.go()
    wait_for_the_end(live)
    assert model.passes == model.at


def test_a_full_queue_says_when_to_come_again(start, endless):
    live = start(endless, most_running=2, most_waiting=1)
    model = Held(live)

    async def crowd() -> list[httpx.Response]:
        async with (
            httpx.AsyncClient(base_url=live.url, timeout=PATIENCE) as client,
            asyncio.TaskGroup() as group,
        ):
            first = [group.create_task(client.post("/api/chat", json=slow_body())) for _ in range(3)]
            while live.house.scheduler.n_running + live.house.scheduler.n_waiting < 3:
                await asyncio.sleep(0.01)
            refused = [
                await client.post("/api/chat/stream", json=slow_body()),
                await client.post(
                    "/v1/chat/completions",
                    json={"model": "farm-1", "messages": [{"role": "user", "content": "x"}]},
                ),
            ]
            for task in first:
                task.cancel()
        return refused

    ours, openai = finished(crowd())
    model.go()
    assert ours.status_code == openai.status_code == 429
    assert ours.headers["retry-after"] == openai.headers["retry-after"] == "1"
    assert ours.json()["error"]["type"] == "busy"
    assert openai.json()["error"]["type"] == "rate_limit_error"
    wait_for_the_end(live)
    assert live.chat(max_tokens=5).status_code == 200


def test_a_waiting_client_that_leaves_is_never_begun(start, endless):
    live = start(endless, most_running=1, most_waiting=4)
    model, scheduler = Held(live), live.house.scheduler
    with asking(live, "/api/chat/stream"):
        until(lambda: model.passes == model.at)
        with asking(live, "/api/chat"):
            until(lambda: scheduler.n_waiting)
            (waiting,) = scheduler._waiting
        until(lambda: waiting.cancelled)
    (running,) = scheduler._running.values()
    until(lambda: running.cancelled)
    model.go()
    wait_for_the_end(live)
    assert model.passes == model.at
    assert waiting.draft.n_tokens == 0


def test_numbers_that_are_not_finite_are_told_in_the_stream(start, runs):
    live = start(runs)
    served = live.house.models.get()
    with torch.no_grad():
        served.loaded.model.embedding.weight.fill_(float("nan"))
    *_, last = events(live.client.post("/api/chat/stream", json={"message": "x"}))
    assert "not finite" in last["error"]["message"]
    answer = live.chat("x")
    assert answer.status_code == 400 and "not finite" in answer.json()["error"]["message"]


def test_memory_is_steady(server):
    import gc
    import weakref

    from pellucid.generation.decoding import Draft

    for i in range(30):
        assert server.chat(seed=i, max_tokens=3).status_code == 200
    gc.collect()
    drafts = [weakref.ref(item) for item in gc.get_objects() if type(item) is Draft]
    assert len(drafts) <= 2
    assert server.house.scheduler.n_running == 0 and not server.house.scheduler._decodings
