"""Chat: streamed, stopped, edited, branched and kept; and whole, however the network cuts it."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from browsing import Hosted, Watch, data_of, hash_of
from patience import PATIENCE
from playwright.sync_api import Locator, Page, expect
from proxy import proxy
from reference import reference
from safetensors.torch import load_file
from serving import until
from tokenizers import Tokenizer

from pellucid.generation.decoding import Decoding

ASKED = "What does the cow do on the hill?"
GREEDY = {"temperature": 0.1, "top_k": 1}  # the likeliest token each time, so that replies can be compared


def greedy_reply(site: Hosted, message: str, history: list[dict[str, str]] | None = None) -> str:
    """What the server answers to a client of its own."""
    body = {"message": message, "history": history or [], "temperature": 0.1, "top_k": 1}
    answer = httpx.post(f"{site.url}/api/chat", json=body, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return answer.json()["reply"]


def open_chat(site: Hosted, page: Page, **state: object) -> None:
    site.open(page, place="chat", **GREEDY, **state)
    expect(page.get_by_test_id("message")).to_be_enabled()


def send(page: Page, text: str) -> None:
    page.get_by_test_id("message").fill(text)
    page.get_by_test_id("message").press("Enter")


def reply(page: Page, index: int = 1) -> Locator:
    return page.get_by_test_id(f"message-{index}").get_by_test_id("said-model")


def ended(page: Page, index: int = 1) -> str:
    """The text of a reply when it is whole."""
    expect(page.get_by_test_id(f"regenerate-{index}")).to_be_visible()
    return reply(page, index).text_content() or ""


def tokens(page: Page, index: int = 1) -> list[dict[str, str]]:
    return data_of(page, f"[data-testid=message-{index}] [data-testid=token]")


@pytest.fixture
def held(talk_site: Hosted, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A model that writes a few tokens and then waits until somebody leaves, unless this is set: none is too late."""
    step, free, scheduler = Decoding.step, threading.Event(), talk_site.house.scheduler

    def holding(self: Decoding) -> Any:
        while not free.is_set() and any(draft.n_tokens >= 6 for draft in self.drafts):
            if any(stream.cancelled for stream in list(scheduler._running.values())):
                break
            free.wait(0.01)
        return step(self)

    monkeypatch.setattr(Decoding, "step", holding)
    yield free
    free.set()


# ---------------------------------------------------------------------- a reply, and what becomes of it


def test_a_reply_is_what_the_server_writes_and_no_emoji_is_torn(talk_site: Hosted, page: Page):
    want = greedy_reply(talk_site, ASKED)
    emoji = re.findall(r"👩‍🚀|🙂|🐕|🌙", want)
    assert emoji, f"the model was to learn to write one: {want!r}"
    open_chat(talk_site, page)
    send(page, ASKED + " 👩‍🚀")
    send_reply = ended(page)
    expect(page.get_by_test_id("said-user")).to_have_text(ASKED + " 👩‍🚀")
    assert send_reply == greedy_reply(talk_site, ASKED + " 👩‍🚀")
    written = page.get_by_test_id("message-1").get_by_test_id("token").all_text_contents()
    assert "".join(written) == send_reply
    whole = re.findall(r"👩‍🚀|🙂|🐕|🌙", send_reply)
    assert whole
    assert all(any(each in token for token in written) for each in whole)
    assert "\ufffd" not in send_reply


def test_a_chat_is_kept_in_the_run_folder_reopened_and_deleted(talk_site: Hosted, page: Page):
    open_chat(talk_site, page)
    send(page, ASKED)
    first = ended(page)
    send(page, "What does the dog do by the river?")
    second = ended(page, 3)
    history = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": first}]
    assert second == greedy_reply(talk_site, "What does the dog do by the river?", history)
    folder = talk_site.run("talker") / "chats"

    def kept() -> list[dict[str, Any]]:
        return [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]

    until(
        lambda: kept() and len(kept()[0]["messages"]) == 4 and kept()[0]["messages"][3]["content"] == second
    )
    assert [said["content"] for said in kept()[0]["messages"]] == [
        ASKED,
        first,
        "What does the dog do by the river?",
        second,
    ]
    name = hash_of(page)["chat"]
    page.reload()
    expect(reply(page, 3)).to_have_text(second)
    expect(reply(page, 1)).to_have_text(first)
    page.get_by_test_id("new-chat").click()
    expect(page.get_by_test_id("welcome")).to_be_visible()
    page.get_by_test_id(f"open-{name}").click()
    expect(reply(page, 3)).to_have_text(second)
    page.get_by_test_id(f"delete-{name}").click()
    page.get_by_test_id("dialog-no").click()
    assert len(kept()) == 1
    page.get_by_test_id(f"delete-{name}").click()
    page.get_by_test_id("dialog-yes").click()
    expect(page.get_by_test_id(f"chat-{name}")).to_have_count(0)
    expect(page.get_by_test_id("welcome")).to_be_visible()
    assert kept() == []


def test_stop_keeps_the_text_and_halts_the_server(talk_site: Hosted, page: Page, held: threading.Event):
    open_chat(talk_site, page)
    send(page, ASKED)
    expect(page.get_by_test_id("message-1").get_by_test_id("token").nth(2)).to_be_visible()
    scheduler = talk_site.house.scheduler
    (stream,) = scheduler._running.values()
    page.get_by_test_id("stop-reply").click()
    expect(page.get_by_test_id("finish")).to_have_attribute("data-reason", "stopped")
    shown = reply(page).text_content()
    assert shown
    until(lambda: scheduler.n_running == 0)
    assert not stream.cutter.ended, "the server wrote on to the end"
    held.set()
    assert greedy_reply(talk_site, ASKED).startswith(shown)
    expect(reply(page)).to_have_text(shown)
    stored_ids(talk_site, page)
    page.reload()
    expect(reply(page)).to_have_text(shown)  # what was written is kept
    held.clear()
    send(page, "What does the owl do in the barn?")
    expect(page.get_by_test_id("message-3").get_by_test_id("token").first).to_be_visible()
    page.get_by_test_id("message").press("Escape")
    until(lambda: scheduler.n_running == 0)
    expect(page.get_by_test_id("message-3").get_by_test_id("finish")).to_have_attribute(
        "data-reason", "stopped"
    )


def test_closing_the_page_halts_the_server_too(talk_site: Hosted, page: Page, held: threading.Event):
    open_chat(talk_site, page)
    send(page, ASKED)
    expect(page.get_by_test_id("message-1").get_by_test_id("token").nth(2)).to_be_visible()
    (stream,) = talk_site.house.scheduler._running.values()
    page.close()
    until(lambda: talk_site.house.scheduler.n_running == 0)
    assert not stream.cutter.ended


def test_edit_and_regenerate(talk_site: Hosted, page: Page):
    open_chat(talk_site, page)
    send(page, ASKED)
    first = ended(page)
    send(page, "What does the dog do by the river?")
    ended(page, 3)
    page.get_by_test_id("edit-0").click()
    page.get_by_test_id("edit-area").fill("What does the owl do in the barn?")
    page.get_by_test_id("edit-send").click()
    expect(page.get_by_test_id("said-user").first).to_have_text("What does the owl do in the barn?")
    expect(page.get_by_test_id("message-2")).to_have_count(0)  # what followed was an answer to something else
    assert ended(page) == greedy_reply(talk_site, "What does the owl do in the barn?")
    page.get_by_test_id("regenerate-1").click()
    assert ended(page) == greedy_reply(talk_site, "What does the owl do in the barn?")
    page.get_by_test_id("edit-0").click()
    page.get_by_test_id("edit-area").fill(ASKED)
    page.get_by_test_id("edit-area").press("Escape")
    expect(page.get_by_test_id("said-user").first).to_have_text("What does the owl do in the barn?")
    page.get_by_test_id("edit-0").click()
    page.get_by_test_id("edit-area").fill(ASKED)
    page.get_by_test_id("edit-area").press("Enter")
    expect(reply(page)).to_have_text(first)


# ---------------------------------------------------------------------- a token and its alternatives


def test_a_tokens_rank_and_bits_are_those_of_pytorch_and_another_goes_on_from_there(
    talk_site: Hosted, page: Page
):
    open_chat(talk_site, page)
    send(page, ASKED)
    ended(page)
    before = tokens(page)
    spot = next(n for n, token in enumerate(before) if n >= 3 and token["first"] == token["last"])
    at = int(before[spot]["first"])
    ids = stored_ids(talk_site, page)
    run = talk_site.run("talker")
    prompt = Tokenizer.from_file(str(run / "tokenizer.json")).encode(f"YOU:\n{ASKED}\n\nPELLUCID:\n").ids
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))["model"]
    logits = reference(config, load_file(run / "model.safetensors"), prompt + ids[:at]).logits[-1]
    logprobs = logits.log_softmax(0)
    page.get_by_test_id("message-1").get_by_test_id("token").nth(spot).click()
    others = page.get_by_test_id("alternative")
    expect(others.first).to_be_visible()
    assert (
        int(page.get_by_test_id("fact-rank").get_attribute("data-value") or 0)
        == int((logits > logits[ids[at]]).sum()) + 1
    )
    told = float(page.get_by_test_id("fact-bits").get_attribute("data-value") or "nan")
    assert told == pytest.approx(-logprobs[ids[at]].item() / math.log(2), abs=2e-3)
    listed = data_of(page, "[data-testid=alternative]")
    assert [int(each["id"]) for each in listed[:12]] == logits.topk(12).indices.tolist()
    for each in listed:
        assert float(each["probability"]) == pytest.approx(
            logprobs[int(each["id"])].exp().item(), rel=2e-3, abs=1e-6
        )
        assert float(each["bits"]) == pytest.approx(-logprobs[int(each["id"])].item() / math.log(2), abs=5e-3)
    chosen = next(n for n, each in enumerate(listed) if int(each["id"]) != ids[at])
    others.nth(chosen).click()
    ended(page)
    after = stored_ids(talk_site, page)
    assert after[: at + 1] == [*ids[:at], int(listed[chosen]["id"])]
    assert [token["id"] for token in tokens(page)[:spot]] == [token["id"] for token in before[:spot]]


def stored_ids(site: Hosted, page: Page) -> list[int]:
    """The ids of the reply as it was kept, once that is what the page shows."""
    chat = until(lambda: hash_of(page).get("chat"))  # the address has it when the server has kept it
    path = site.run("talker") / "chats" / f"{chat}.json"
    text = reply(page).text_content()

    def kept() -> list[int] | None:
        said = json.loads(path.read_text(encoding="utf-8"))["messages"]
        return (
            [token["id"] for token in said[1]["tokens"]]
            if len(said) > 1 and said[1]["content"] == text
            else None
        )

    return until(kept)


# ---------------------------------------------------------------------- networks and other servers


def test_a_stream_cut_at_every_byte_is_the_same_stream(talk_site: Hosted, page: Page):
    want = greedy_reply(talk_site, ASKED)
    with proxy(talk_site.url) as between:
        between.split.add("/api/chat/stream")
        page.goto(f"{between.url}/#place=chat&temperature=0.1&top_k=1")
        send(page, ASKED)
        assert ended(page) == want
        assert "/api/chat" not in between.asked


def test_where_nothing_streams_the_plain_call_answers(talk_site: Hosted, page: Page, watch: Watch):
    watch.expected.append("404")
    want = greedy_reply(talk_site, ASKED)
    with proxy(talk_site.url) as between:
        between.instead["/api/chat/stream"] = (404, "Not Found", {})
        page.goto(f"{between.url}/#place=chat&temperature=0.1&top_k=1")
        send(page, ASKED)
        assert ended(page) == want
        assert between.asked.count("/api/chat") == 1
        expect(page.get_by_test_id("reply-problem")).to_have_count(0)


def test_a_full_queue_is_told_and_can_be_tried_again(talk_site: Hosted, page: Page, watch: Watch):
    watch.expected.append("429")
    with proxy(talk_site.url) as between:
        between.instead["/api/chat/stream"] = (
            429,
            "32 replies are being written: try again soon",
            {"Retry-After": "2"},
        )
        page.goto(f"{between.url}/#place=chat&temperature=0.1&top_k=1")
        send(page, ASKED)
        expect(page.get_by_test_id("reply-problem")).to_contain_text("try again soon")
        expect(page.get_by_test_id("reply-problem")).to_contain_text("2 s")
        expect(page.get_by_test_id("said-user")).to_have_text(ASKED)
        between.instead.clear()
        page.get_by_test_id("regenerate-1").click()
        expect(reply(page)).to_have_text(greedy_reply(talk_site, ASKED))


# ---------------------------------------------------------------------- markup is text

HOSTILE = '<img src=x onerror="window.hacked = 1"><b>bold</b>'


def test_markup_is_inert_everywhere(train_tiny: Callable[..., Any], talk_site: Hosted, page: Page):
    """In a corpus, its file's name, a run's name, what the model writes, a prompt, a message and a kept chat."""
    name = "a&lt;img&gt; 'b'"
    text = talk_site.home / "<img src=x onerror='window.hacked = 1'>.txt"
    text.write_text(f"{HOSTILE}\n" * 200, encoding="utf-8")
    train_tiny(talk_site.run(name), text, steps=60, d_model=32, context_length=64, sample_tokens=60, lr=5e-3)
    assert "<img" in (talk_site.run(name) / "samples.txt").read_text(encoding="utf-8")
    chats = talk_site.run(name) / "chats"
    chats.mkdir()
    said = [{"role": "user", "content": HOSTILE}, {"role": "assistant", "content": HOSTILE}]
    (chats / "kept.json").write_text(json.dumps({"messages": said}), encoding="utf-8")
    talk_site.open(page, place="train", run=name)
    expect(page.get_by_test_id("run-title")).to_have_text(name)
    expect(page.get_by_test_id("samples")).to_contain_text("<img")
    for view in ("tokens", "bigram", "attention", "sampling", "shapes"):
        talk_site.look(page, view, run=name, prompt=HOSTILE, layer=0, head=0)
    expect(page.get_by_test_id("prompt")).to_have_value(HOSTILE)
    talk_site.open(page, place="chat", run=name, chat="kept", **GREEDY)
    expect(reply(page)).to_have_text(HOSTILE)
    expect(page.get_by_test_id("said-user")).to_have_text(HOSTILE)
    send(page, HOSTILE)
    assert "<" in ended(page, 3)
    page.get_by_test_id("message-3").get_by_test_id("token").first.click()
    expect(page.get_by_test_id("alternative").first).to_be_visible()
    assert page.locator("main img, main b b, .said b").count() == 0
    assert page.evaluate("window.hacked") is None
