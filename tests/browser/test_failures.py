"""What goes wrong is told in plain words, nothing spins for ever, and what was typed is still there."""

from __future__ import annotations

import re
import shutil
import signal

from browsing import VIEWS, Hosted, Served, Watch, shown
from playwright.sync_api import Page, expect

PLAIN = re.compile(r"^[^{}<>]{10,400}$")  # a sentence: no JSON, no traceback, no markup


def told(page: Page, panel: str) -> str:
    """The message in a panel that has nothing else to show."""
    problem = page.get_by_test_id(f"panel-{panel}").get_by_test_id("problem").first
    expect(problem).to_be_visible()
    words = problem.locator("p").text_content() or ""
    assert PLAIN.match(words), words
    assert "Traceback" not in words
    expect(page.get_by_test_id(f"panel-{panel}")).not_to_have_attribute("aria-busy", "true")
    return words


def test_an_over_long_prompt_says_what_was_left_out(site: Hosted, page: Page):
    long = "The cat in the barn sees the moon and purrs. " * 3
    site.look(page, "attention", run="rotary", prompt=long, layer=0, head=0)
    expect(page.get_by_test_id("panel-attention").get_by_test_id("notes").first).to_contain_text(
        "only the last 32"
    )
    expect(page.get_by_test_id("prompt-note")).to_contain_text("the first 103 are left out")
    expect(page.get_by_test_id("strip").locator(".chip")).to_have_count(32)
    expect(page.get_by_test_id("prompt")).to_have_value(long)


def test_an_over_long_message_says_what_was_cropped(talk_site: Hosted, page: Page):
    talk_site.open(page, place="chat", temperature=0.1, top_k=1)
    page.get_by_test_id("message").fill("What does the cow do on the hill? " * 40)
    page.get_by_test_id("message").press("Enter")
    expect(page.get_by_test_id("regenerate-1")).to_be_visible()
    expect(page.get_by_test_id("message-1").get_by_test_id("reply-notes")).to_contain_text(
        re.compile("message.*tokens", re.I)
    )
    expect(page.get_by_test_id("said-user")).to_have_text(
        re.compile("^(What does the cow do on the hill. ?){40}$")
    )


def test_unknown_characters_are_told(site: Hosted, page: Page):
    site.look(page, "sampling", run="rotary", prompt="The §")
    expect(page.get_by_test_id("panel-sampling").get_by_test_id("notes").first).to_contain_text(
        "never occurred in training"
    )


def test_an_unknown_model_in_the_address(site: Hosted, page: Page, watch: Watch):
    watch.expected.append("404")
    for view in VIEWS:
        site.open(page, place="look", view=view, run="nobody", prompt="The")
        assert "nobody" in told(page, view)
    site.open(page, place="chat", run="nobody")
    expect(page.get_by_test_id("welcome")).to_contain_text("nobody")
    site.open(page, place="train", run="nobody")
    expect(page.get_by_test_id("run-problem")).to_contain_text("nobody")
    page.get_by_test_id("run").select_option("rotary")
    expect(page.get_by_test_id("run-title")).to_have_text("rotary")
    expect(page.get_by_test_id("run-problem")).to_be_hidden()


def test_an_unknown_step_in_the_address(site: Hosted, page: Page, watch: Watch):
    watch.expected += ["400", "404", "409"]
    site.open(page, place="look", view="attention", run="rotary", step="777", prompt="The")
    assert "777" in told(page, "attention")
    page.get_by_test_id("step").select_option("best")
    shown(page, "attention")
    expect(page.get_by_test_id("panel-attention").get_by_test_id("problem").first).to_be_hidden()


def test_a_run_deleted_while_it_is_open(own_site: Hosted, page: Page, watch: Watch):
    watch.expected.append("404")
    own_site.look(page, "sampling", run="learned", prompt="The cat")
    shutil.rmtree(own_site.run("learned"))
    page.get_by_test_id("prompt").fill("The cat in")
    assert "learned" in told(page, "sampling")
    expect(page.get_by_test_id("prompt")).to_have_value("The cat in")
    page.get_by_test_id("run").select_option("rotary")
    expect(page.get_by_test_id("panel-sampling").get_by_test_id("stamp").first).to_contain_text("rotary")
    expect(page.get_by_test_id("prompt")).to_have_value("The cat in")


def test_a_damaged_checkpoint(own_site: Hosted, page: Page, watch: Watch):
    watch.expected += ["400", "409"]
    weights = own_site.run("learned") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    own_site.open(page, place="look", view="attention", run="learned", prompt="The")
    assert "learned" in told(page, "attention")
    own_site.open(page, place="chat", run="learned")
    page.get_by_test_id("message").fill("The cat")
    page.get_by_test_id("message").press("Enter")
    expect(page.get_by_test_id("reply-problem")).to_have_text(PLAIN)
    expect(page.get_by_test_id("said-user")).to_have_text("The cat")
    expect(page.get_by_test_id("send")).to_be_visible()
    page.get_by_test_id("run").select_option("rotary")
    page.get_by_role("link", name="Look inside").first.click()
    shown(page, "tokens")


def test_a_killed_server_is_told_and_when_it_is_back_the_page_goes_on(
    own_process: Served, page: Page, watch: Watch
):
    watch.expected += ["ERR_", "Failed to load"]
    own_process.look(page, "sampling", run="rotary", prompt="The cat")
    page.get_by_role("link", name="Chat").click()
    page.get_by_test_id("message").fill("half a thought")
    page.get_by_role("link", name="Look inside").first.click()
    shown(page, "sampling")
    own_process.stop(signal.SIGKILL)
    page.get_by_test_id("prompt").fill("The cat in")
    expect(page.locator("#gone")).to_be_visible()
    assert "does not answer" in told(page, "sampling")
    page.get_by_role("link", name="Chat").click()
    expect(page.get_by_test_id("message")).to_have_value("half a thought")
    page.get_by_test_id("message").press("Enter")
    expect(page.get_by_test_id("reply-problem")).to_contain_text("does not answer")
    own_process.start(own_process.port)
    expect(page.locator("#gone")).to_be_hidden()
    page.get_by_test_id("regenerate-1").click()
    expect(page.get_by_test_id("said-model").locator(".token").first).to_be_visible()
    expect(page.get_by_test_id("said-user")).to_have_text("half a thought")
    page.get_by_role("link", name="Look inside").first.click()
    shown(page, "sampling")
    expect(page.get_by_test_id("panel-sampling").get_by_test_id("problem").first).to_be_hidden()
    expect(page.get_by_test_id("prompt")).to_have_value("The cat in")
    expect(page.get_by_test_id("strip").locator(".chip")).to_have_count(10)
    page.reload()
    expect(page.get_by_test_id("prompt")).to_have_value("The cat in")


def is_held_within_a_reply(server: Served, page: Page) -> bool:
    """Holds the server once a reply has begun; if that ended in the meantime, lets it go again."""
    page.get_by_test_id("message-1").get_by_test_id("token").first.wait_for()
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    page.wait_for_timeout(1000)  # what was sent before comes in
    if page.get_by_test_id("stop-reply").is_visible():
        return True
    server.process.send_signal(signal.SIGCONT)
    return False


def test_a_reply_that_breaks_off_is_kept(own_process: Served, page: Page, watch: Watch):
    watch.expected += ["ERR_", "Failed to load"]
    page.add_init_script("localStorage.setItem('pellucid-chat', JSON.stringify({max_tokens: 400}))")
    own_process.open(page, place="chat", run="rotary", temperature=0.5)
    page.get_by_test_id("message").fill("The cat in")
    page.get_by_test_id("message").press("Enter")
    while not is_held_within_a_reply(own_process, page):
        page.get_by_test_id("regenerate-1").click()  # it had ended: a reply may be short
    own_process.stop(signal.SIGKILL)
    expect(page.locator("#gone")).to_be_visible()
    expect(page.get_by_test_id("regenerate-1")).to_be_visible()  # no endless writing
    expect(page.get_by_test_id("said-model")).not_to_be_empty()


def test_what_is_typed_is_not_written_over_by_what_comes_in_between(site: Hosted, page: Page):
    site.look(page, "attention", run="rotary", prompt="The cat")
    page.get_by_test_id("prompt").focus()
    page.evaluate(
        """() => {
          const field = document.querySelector("[data-testid=prompt]");
          field.value = "The cat in";
          field.dispatchEvent(new Event("input", {bubbles: true}));
          location.hash += "&layer=0&head=1";  // a change, as an answer or a look at the runs makes one
        }"""
    )
    expect(page.get_by_test_id("panel-head").locator("h3").first).to_have_text("Layer 0, head 1")
    expect(page.get_by_test_id("prompt")).to_have_value("The cat in")
    expect(page.get_by_test_id("strip").locator(".chip")).to_have_count(10)
