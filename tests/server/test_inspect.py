"""The views over HTTP are those of the inspection room."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from patience import PATIENCE

from pellucid.api import load
from pellucid.inspection import attention, bigram, sampling, shapes, tokens
from pellucid.inspection.frame import Frame
from pellucid.inspection.subject import Subject
from pellucid.server.errors import Busy
from pellucid.server.turnstile import Turnstile


@pytest.fixture(scope="module")
def subject(trained) -> Subject:
    return Subject(load(trained / "farm-1", "cpu"))


def view(server, name: str, **fields):
    answer = server.client.post(f"/api/inspect/{name}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer


def as_json(value: object) -> object:
    return json.loads(json.dumps(value))


def test_json_views(server, subject):
    text = "The cat 🦆"
    assert view(server, "tokens", text=text).json() == as_json(tokens.cut(subject, text))
    assert view(server, "bigram", row=9, size=5).json() == as_json(bigram.table(subject, 9, 5))
    options = {"temperature": 0.8, "top_k": 5, "shown": 7}
    assert view(server, "next", text=text, **options).json() == as_json(
        sampling.next_token(subject, text, **options)
    )
    drawn = {"temperature": 0.8, "top_k": 5, "n": 300, "seed": 4}
    assert view(server, "draw", text=text, **drawn).json() == as_json(sampling.draw(subject, text, **drawn))
    told, expected = view(server, "shapes", text=text).json(), as_json(shapes.budget(subject, text))
    assert told.pop("measured").keys() == expected.pop("measured").keys()
    assert told == expected


@pytest.mark.parametrize(("name", "more"), [("attention", {"tiles": 4}), ("head", {"layer": 0, "head": 1})])
def test_frames(server, subject, name, more):
    fields = {"text": "The cat sees the moon", "scale": "none", **more}
    answer = view(server, name, **fields)
    assert answer.headers["content-type"] == "application/octet-stream"
    told, expected = (
        Frame.decode(answer.content),
        getattr(attention, {"attention": "overview"}.get(name, name))(subject, **fields),
    )
    assert told.header == as_json(expected.header)
    assert told.header["trained_this_way"] is False and told.header["stamp"]["run"] == "farm-1"
    for key, array in expected.arrays.items():
        np.testing.assert_allclose(told.arrays[key], array, atol=1e-6)


def test_other_steps_give_other_numbers(server):
    at_75, best = (view(server, "next", text="The", step=step).json() for step in (75, "best"))
    assert at_75["stamp"]["kind"] == "checkpoint" and at_75["stamp"]["step"] == 75
    assert at_75["candidates"] != best["candidates"]


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("head", {"layer": 7, "head": 0}, "layer must be a whole number from 0"),
        ("head", {}, "layer is missing"),
        ("attention", {"scale": "big"}, "scale must "),
        ("attention", {"tiles": 0}, "tiles must be"),
        ("next", {"temperature": -1}, "temperature must "),
        ("next", {"shown": 10**6}, "shown must "),
        ("draw", {"n": 0}, "n must be"),
        ("bigram", {"row": 5000}, "row"),
        ("tokens", {"text": "x" * 100_001}, "text must "),
        ("tokens", {"run": "nobody"}, "no run called"),
        ("shapes", {"step": "live"}, "no training goes on"),
    ],
)
def test_bad_input(server, name, fields, says):
    answer = server.client.post(f"/api/inspect/{name}", json=fields)
    assert answer.status_code in (400, 404) and says in answer.json()["error"]["message"]


def test_only_so_many_wait():
    turnstile, go = Turnstile(1, 2), threading.Event()
    in_line, inside = threading.Semaphore(0), threading.Event()

    def look() -> None:
        with turnstile.waiting():
            in_line.release()
            with turnstile.turn():
                inside.set()
                go.wait(PATIENCE)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert in_line.acquire(timeout=PATIENCE) and in_line.acquire(timeout=PATIENCE) and inside.wait(PATIENCE)
    with pytest.raises(Busy), turnstile.waiting():
        pass
    go.set()
    for thread in threads:
        thread.join()
    with turnstile.waiting(), turnstile.turn():
        pass
