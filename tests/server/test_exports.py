"""A chat export over HTTP: surveyed, asked back about, learned from, and answered as the run's template has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_exports import ambiguous, whatsapp
from serving import Client, serving

from pellucid.api import load
from pellucid.generation.options import SamplingOptions
from pellucid.server.chat import prepare
from pellucid.server.exports import Export
from pellucid.server.openai import SPEAKERS
from pellucid.text.template import Turn

RECIPE = {"steps": 4, "eval_every": 2, "checkpoint_every": 4, "device": "cpu", "precision": "float32"}
BASE = "base-1"


@pytest.fixture(scope="module")
def base(train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one that knows the characters of the chat."""
    folder = tmp_path_factory.mktemp("bases")
    (folder / "base.txt").write_text(whatsapp(60), encoding="utf-8")
    train_tiny(folder / "runs" / BASE, folder / "base.txt", steps=4, context_length=96, eval_every=2)
    return folder / "runs"


@pytest.fixture(scope="module")
def live(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of these; the notice about others is kept where no other test reads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PELLUCID_NO_CACHE", "")
        with serving(base) as client:
            yield client


def asked(live: Client, text: str, kind: str = "preview", **more: Any) -> dict[str, Any]:
    upload = live.upload({"WhatsApp Chat with Anna.txt": text.encode()})
    job = live.ok("POST", "/api/jobs", json={"kind": kind, "source": {"upload": upload}, **more})
    return live.ended(job["id"])


def test_a_survey_and_what_learning_from_it_would_take(live: Client):
    chat = {"as_name": "Bob", "keep": ["email"], "base": BASE, "lora": True}
    ended = asked(live, whatsapp(), chat=chat, settings={"epochs": 1})
    assert ended["state"] == "done", ended
    assert ended["chat"] == chat
    found = ended["result"]
    people = [(each["name"], each["messages"]) for each in found["people"]]
    assert (found["format"], people) == ("whatsapp", [("Anna", 240), ("Bob", 240)])
    assert found["unparsed"]["count"] == 1
    assert found["unparsed"]["first"][0]["text"] == "a line of no message"
    assert found["redacted"]["counts"] == {"phone": 40}, "the address is kept"
    assert found["redacted"]["samples"] == {"phone": ["+4• ••• ••••••7"]}
    assert found["notice"], "said the first time"
    assert (found["as"]["name"], found["as"]["chosen"]) == ("Bob", True)
    assert 1 <= len(found["examples"]) <= 3
    assert {span["learned"] for spans in found["examples"] for span in spans} == {True, False}
    assert "1234567" not in json.dumps(found)
    outlook = found["outlook"]
    assert outlook["base"] == BASE
    assert 0 < outlook["trained"] < outlook["parameters"]
    assert outlook["steps"] > 0 and outlook["seconds"] > 0


def test_dates_that_can_be_read_in_two_ways_are_asked_about(live: Client):
    ended = asked(live, ambiguous())
    assert ended["state"] == "failed"
    readings = {each["order"]: each["date"] for each in ended["question"]["date_order"]}
    assert readings == {"dmy": "1 February 2021", "mdy": "2 January 2021"}
    ended = asked(live, ambiguous(), chat={"date_order": "mdy"})
    assert ended["question"] is None
    assert ended["result"]["first"].startswith("2021-01-02")


def test_what_is_said_to_be_text_is_text(live: Client):
    small = {"steps": 2, "n_layers": 1, "d_model": 16, "n_heads": 2, "context_length": 16, **RECIPE}
    ended = asked(live, whatsapp(40), chat={"format": "text"}, settings=small)
    assert ended["result"]["tokenizer"]["kind"]
    assert "chat" not in ended["result"]


@pytest.fixture(scope="module")
def tuned(live: Client) -> str:
    """A run that was fine-tuned through the API; its name."""
    ended = asked(
        live, whatsapp(), "finetune", chat={"as_name": "Bob", "base": BASE, "lora": True}, settings=RECIPE
    )
    assert ended["state"] == "done", (ended["problem"], ended["log"])
    return ended["run"]


def test_a_fine_tuning_becomes_a_run_that_says_what_it_is(live: Client, tuned: str, base: Path):
    record = live.run(tuned)
    assert record["state"] == "finished"
    assert record["learned"] == {"template": "markers", "as": "Bob", "base": BASE, "private": True}
    assert live.run(BASE)["learned"] is None
    assert (base / tuned / "uploaded" / "WhatsApp Chat with Anna.txt").is_file()
    assert (base / tuned / "adapter_model.safetensors").is_file()


def test_it_is_talked_with_in_its_template_and_with_a_system_prompt(live: Client, tuned: str):
    served = live.house.models.get(tuned)
    said = [
        ("system", "be short"),
        ("user", "did you eat?"),
        ("assistant", "soup"),
        ("user", "how is the cat?"),
    ]
    draft = prepare(served, said, SPEAKERS, SamplingOptions(max_tokens=8)).draft
    template = load(live.house.runs.run(tuned).path, "cpu").template
    assert template
    turns = [Turn(role, text) for role, text in said]  # type: ignore[arg-type]
    assert list(draft.ids) == template.prompt(turns).tolist()


def test_both_apis_read_its_system_prompt(live: Client, tuned: str):
    messages = [{"role": "user", "content": "how is the cat?"}]
    system = {"role": "system", "content": "be short"}
    body = {"model": tuned, "max_tokens": 8, "seed": 1}
    usage = [
        live.ok("POST", "/v1/chat/completions", json={**body, "messages": each})["usage"]["prompt_tokens"]
        for each in (messages, [system, *messages])
    ]
    assert usage[1] == usage[0] + len("be short") + 2, "the turn and its two marks, a character a token"
    plain = {"run": tuned, "message": "how is the cat?", "max_tokens": 8, "seed": 1}
    told = live.ok("POST", "/api/chat", json={**plain, "history": [system]})
    answer = live.ok(
        "POST",
        "/v1/chat/completions",
        json={**body, "temperature": 0.5, "top_k": 25, "messages": [system, *messages]},
    )
    assert told["reply"] == answer["choices"][0]["message"]["content"]


# ---------------------------------------------------------------------- bad orders, bad uploads


def test_too_few_replies_are_refused_with_the_reason_and_nothing_is_left(live: Client, base: Path):
    before = sorted(path.name for path in base.iterdir())
    ended = asked(live, whatsapp(20), "finetune", chat={"as_name": "Bob", "base": BASE}, settings=RECIPE)
    assert ended["state"] == "failed"
    assert "too few" in ended["problem"]
    assert sorted(path.name for path in base.iterdir()) == before


def test_a_chat_with_oneself_is_told_plainly(live: Client):
    alone = "\n".join(line for line in whatsapp(20).split("\n") if "Bob" not in line)
    assert "only one person wrote (Anna)" in asked(live, alone)["problem"]


def test_a_person_who_is_not_there_is_told_with_those_who_are(live: Client):
    problem = asked(live, whatsapp(20), chat={"as_name": "Carol"})["problem"]
    assert "Carol" in problem and "Anna" in problem and "Bob" in problem


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"chat": {"keep": ["names"]}}, 400, ["a kind to keep is one of url"]),
        ({"chat": {"format": "fax"}}, 400, ["a format is text or one of"]),
        ({"chat": {"date_order": "ydm"}}, 400, ["chat.date_order", "'dmy', 'mdy' or 'ymd'"]),
        ({"chat": {"gap": 0}}, 400, ["chat.gap must be more than 0"]),
        ({"chat": {"out": "/etc"}}, 400, ["chat.out is not a field"]),
        ({"chat": {"base": "../nothing"}}, 404, ["no run called"]),
        ({"kind": "train", "chat": {"as_name": "Bob"}}, 400, ["chat is for a preview and for finetune"]),
        ({"kind": "finetune", "settings": {"d_model": 8}}, 400, ["a fine-tuning takes no 'd_model'"]),
        ({"kind": "finetune", "settings": {"epochs": -1}}, 400, ["above 0"]),
    ],
)
def test_a_bad_order_is_refused_before_anything_starts(
    live: Client, change: dict[str, Any], status: int, words: list[str]
):
    n_jobs = len(live.ok("GET", "/api/jobs")["jobs"])
    body = {"kind": "preview", "source": {"corpus": "lesson"}, **change}
    live.refused("POST", "/api/jobs", status, *words, json=body)
    assert len(live.ok("GET", "/api/jobs")["jobs"]) == n_jobs


def test_values_cannot_become_flags():
    export = Export(as_name="--overwrite", gap=30, keep=["url", "email"])
    assert export.flags() == ["--as=--overwrite", "--gap=30.0", "--keep=url,email"]
    assert Export(as_name="Bob", names=True).flags() == ["--as=Bob", "--names"]
