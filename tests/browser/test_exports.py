"""A chat export on the page: looked at, decided on, learned from, and talked with."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accessible import check, check_width
from browsing import Hosted, Watch, hash_of, hosted
from chat_exports import ambiguous, whatsapp
from playwright.sync_api import Page, expect
from serving import until

from pellucid.generation.engine import Engine

NAME = "WhatsApp Chat with Anna.txt"
SLOW = 90_000  # milliseconds: a job starts a process, and learns


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, train_tiny: Callable[..., Any]) -> Path:
    """A folder with runs/base, which knows the characters of the chat."""
    home = tmp_path_factory.mktemp("bases")
    (home / "base.txt").write_text(whatsapp(60), encoding="utf-8")
    train_tiny(home / "runs" / "base", home / "base.txt", steps=10, context_length=96, d_model=32)
    return home


@pytest.fixture
def chat_site(bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    """A server of the base, to do with as a test likes; the notice is kept where no other test reads it."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PELLUCID_NO_CACHE", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with hosted(Path(shutil.copytree(bases, tmp_path / "home"))) as site:
        yield site


def drop(page: Page, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.get_by_test_id("input-files").set_input_files([file])  # type: ignore[list-item]


def survey(site: Hosted, page: Page, content: str) -> None:
    site.open(page, place="train", job="new")
    drop(page, NAME, content)
    expect(page.get_by_test_id("people")).to_be_visible(timeout=SLOW)


def choose(page: Page, name: str) -> None:
    page.get_by_test_id("people").get_by_label(re.compile(name)).check()
    expect(page.get_by_test_id("forecast")).to_be_visible(timeout=SLOW)


def test_a_chat_is_looked_at_learned_from_and_talked_with(
    chat_site: Hosted, page: Page, monkeypatch: pytest.MonkeyPatch
):
    survey(chat_site, page, whatsapp())
    expect(page.get_by_test_id("people")).to_contain_text("240 messages")
    expect(page.get_by_test_id("redacted-phone")).to_have_attribute("data-count", "40")
    expect(page.get_by_test_id("redacted-phone")).not_to_contain_text("1234567")
    expect(page.get_by_test_id("report-unparsed")).to_contain_text("a line of no message")
    expect(page.get_by_test_id("notice")).to_contain_text("A chat is not yours alone")
    page.get_by_test_id("notice-read").click()
    expect(page.get_by_test_id("notice")).to_be_hidden()

    page.get_by_test_id("epochs").fill("0.2")
    choose(page, "Bob")
    expect(page.get_by_test_id("forecast")).to_contain_text("from base")
    learned = page.get_by_test_id("chat-example-0").locator("[data-learned=true]").first
    expect(learned).to_contain_text("Bob")
    expect(learned).to_contain_text("learned")
    check(page, "a chat, chosen")
    page.emulate_media(color_scheme="dark")
    check(page, "a chat, chosen, dark")
    page.set_viewport_size({"width": 375, "height": 800})
    check_width(page)

    expect(page.get_by_test_id("way-full"), "the base is small").to_be_checked()
    page.get_by_test_id("way-lora").check()
    expect(page.get_by_test_id("forecast")).to_contain_text("adapters", timeout=SLOW)
    page.get_by_test_id("tuned-name").fill("bob")
    page.get_by_test_id("train").click()
    expect(page.get_by_test_id("run-title")).to_have_text("bob", timeout=SLOW)
    expect(page.get_by_test_id("run-state")).to_have_text("finished", timeout=SLOW)
    config = json.loads((chat_site.run("bob") / "config.json").read_text(encoding="utf-8"))
    assert config["base"]["run"] == "base"
    assert config["adapter"]
    assert config["data"]["chats"]["as_name"] == "Bob"

    prompts: list[Any] = []
    draft = Engine.draft

    def noted(self: Engine, prompt: Any, *rest: Any) -> Any:
        prompts.append(self.tokenizer.decode(list(prompt)))
        return draft(self, prompt, *rest)

    monkeypatch.setattr(Engine, "draft", noted)
    page.get_by_test_id("go-chat").click()
    expect(page.get_by_test_id("welcome")).to_contain_text("answer as Bob")
    page.get_by_test_id("system").locator("xpath=ancestor::details").evaluate("each => each.open = true")
    page.get_by_test_id("system").fill("be short")
    page.get_by_test_id("chat-max-tokens").fill("10")
    page.get_by_test_id("message").fill("how is the cat?")
    page.get_by_test_id("message").press("Enter")
    expect(page.get_by_test_id("regenerate-1")).to_be_visible(timeout=SLOW)
    assert "be short" in prompts[0]
    assert prompts[0].index("be short") < prompts[0].index("how is the cat?")
    assert "YOU:" not in prompts[0], "the template's marks stand where a play has names"
    expect(page.get_by_test_id("message-1").locator(".speaker")).to_have_text("Bob")
    check(page, "a chat with a run that has a template")
    chat_site.open(page, place="chat", run="base")
    expect(page.get_by_test_id("system")).to_be_hidden()


def test_what_is_kept_is_not_taken_out_and_a_reload_comes_back(chat_site: Hosted, page: Page):
    survey(chat_site, page, whatsapp())
    page.get_by_test_id("keep-phone").check()
    expect(page.get_by_test_id("chat-examples")).to_contain_text("+49 170 1234567", timeout=SLOW)
    expect(page.get_by_test_id("keep-phone")).to_be_checked()
    page.reload()
    expect(page.get_by_test_id("chat-examples")).to_contain_text("+49 170 1234567", timeout=SLOW)
    expect(page.get_by_test_id("keep-phone")).to_be_checked()
    page.get_by_test_id("as-text").click()
    expect(page.get_by_test_id("report-found")).to_contain_text("1 document", timeout=SLOW)
    expect(page.get_by_test_id("chat-choice")).to_be_hidden()


def test_people_are_given_other_names_and_a_reload_remembers_it(chat_site: Hosted, page: Page):
    survey(chat_site, page, whatsapp())
    first = hash_of(page)["job"]
    with page.expect_request(lambda request: '"names":true' in (request.post_data or "")):
        page.get_by_test_id("other-names").check()
    # the address has the new look: this is what a reload comes back to
    page.wait_for_function("first => !location.hash.includes(first)", arg=first, timeout=SLOW)
    examples = page.get_by_test_id("chat-examples")
    expect(examples).to_contain_text("sunday", timeout=SLOW)
    for name in ("Anna", "Bob"):  # nor do their labels say who it was
        expect(examples).not_to_contain_text(name)
    page.reload()
    expect(page.get_by_test_id("other-names")).to_be_checked(timeout=SLOW)


def test_dates_are_asked_about_and_too_few_replies_want_a_yes(chat_site: Hosted, page: Page):
    chat_site.open(page, place="train", job="new")
    drop(page, NAME, ambiguous())
    expect(page.get_by_test_id("start-problem")).to_contain_text("two ways", timeout=SLOW)
    expect(page.get_by_test_id("dates-dmy")).to_contain_text("1 February 2021")
    check(page, "dates that are asked about")
    page.get_by_test_id("dates-mdy").click()
    expect(page.get_by_test_id("report-dates")).to_contain_text("2021-01-02", timeout=SLOW)
    choose(page, "Bob")
    expect(page.get_by_test_id("too-few")).to_contain_text("too few")
    page.get_by_test_id("train").click()
    assert page.get_by_test_id("anyway").evaluate("each => each.validity.valueMissing")
    assert not [job for job in chat_site.house.jobs.all() if job.kind == "finetune"]


def test_a_bad_export_is_told_in_a_sentence(chat_site: Hosted, page: Page, watch: Watch):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../_chat.txt", whatsapp(3))
    chat_site.open(page, place="train", job="new")
    drop(page, "chat.zip", archive.getvalue())
    expect(page.get_by_test_id("start-problem")).to_contain_text("leads out of the archive", timeout=SLOW)
    assert "Traceback" not in (page.get_by_test_id("start-problem").text_content() or "")
    expect(page.get_by_test_id("start-status")).to_be_empty()


def test_one_who_wrote_alone_can_be_learned_as_text(chat_site: Hosted, page: Page):
    chat_site.open(page, place="train", job="new")
    drop(page, NAME, "\n".join(line for line in whatsapp(20).split("\n") if "Bob" not in line))
    expect(page.get_by_test_id("start-problem")).to_contain_text("only one person wrote (Anna)", timeout=SLOW)
    expect(page.get_by_test_id("train")).to_be_disabled()
    page.get_by_test_id("start-retry").click()
    expect(page.get_by_test_id("report-found")).to_contain_text("1 document", timeout=SLOW)
    expect(page.get_by_test_id("train")).to_be_enabled()


def test_an_export_dropped_on_chat_is_looked_at_in_train(chat_site: Hosted, page: Page):
    chat_site.open(page, place="chat", run="base")
    expect(page.get_by_test_id("message")).to_be_enabled()
    page.evaluate(
        """([name, text]) => {
          const given = new DataTransfer();
          given.items.add(new File([text], name, {type: "text/plain"}));
          const zone = document.querySelector("[data-testid=message]");
          for (const event of ["dragenter", "dragover", "drop"])
            zone.dispatchEvent(new DragEvent(event, {dataTransfer: given, bubbles: true, cancelable: true}));
        }""",
        [NAME, whatsapp(20)],
    )
    until(lambda: hash_of(page)["place"] == "train")
    expect(page.get_by_test_id("source-name")).to_have_text(NAME, timeout=SLOW)
    expect(page.get_by_test_id("people")).to_contain_text("Anna", timeout=SLOW)
