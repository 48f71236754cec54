"""The address holds what is seen: it can be reloaded, shared, gone back from, and opened twice."""

from __future__ import annotations

from browsing import VIEWS, Hosted, hash_of, shown
from playwright.sync_api import BrowserContext, Page, expect

PROMPT = "The cat in the barn & so?"


def test_an_address_restores_run_view_prompt_token_layer_head_and_step(site: Hosted, page: Page):
    given = {
        "view": "attention",
        "run": "rotary",
        "step": "30",
        "prompt": PROMPT,
        "token": "4",
        "layer": "1",
        "head": "3",
    }
    site.look(page, **given)
    for _ in range(2):  # the second time after a reload
        expect(page.get_by_test_id("run")).to_have_value("rotary")
        expect(page.get_by_test_id("step")).to_have_value("30")
        expect(page.get_by_test_id("prompt")).to_have_value(PROMPT)
        expect(page.get_by_test_id("strip").locator("[aria-selected=true]")).to_have_attribute(
            "data-index", "4"
        )
        expect(page.get_by_test_id("tile-1-3")).to_have_attribute("aria-current", "true")
        head = page.get_by_test_id("panel-head")
        expect(head.locator("h3").first).to_have_text("Layer 1, head 3")
        expect(head.get_by_test_id("stamp")).to_have_text("rotary · step 30")
        assert {name: hash_of(page).get(name) for name in given} == given
        page.reload()


def test_what_one_does_is_in_the_address_and_back_undoes_it(site: Hosted, page: Page):
    site.look(page, "attention", run="rotary", prompt="The cat")
    page.get_by_test_id("tile-0-1").click()
    expect(page.get_by_test_id("panel-head").locator("h3").first).to_have_text("Layer 0, head 1")
    page.locator("#tab-sampling").click()
    shown(page, "sampling")
    page.get_by_test_id("run").select_option("learned")
    expect(page.get_by_test_id("panel-sampling").get_by_test_id("stamp").first).to_contain_text("learned")
    page.get_by_test_id("prompt").fill("The owl")
    page.get_by_role("link", name="Chat").click()  # at once: what was typed belongs to where it was typed
    expect(page.locator("#place-chat")).to_be_visible()
    assert hash_of(page)["prompt"] == "The owl"
    page.go_back()
    shown(page, "sampling")
    expect(page.get_by_test_id("prompt")).to_have_value("The owl")
    page.go_back()
    expect(page.get_by_test_id("run")).to_have_value("rotary")
    expect(page.get_by_test_id("panel-sampling").get_by_test_id("stamp").first).to_contain_text("rotary")
    page.go_back()
    expect(page.get_by_test_id("panel-head").locator("h3").first).to_have_text("Layer 0, head 1")
    page.go_back()
    expect(page.get_by_test_id("panel-head")).to_be_hidden()
    assert "layer" not in hash_of(page)
    page.go_forward()
    expect(page.get_by_test_id("panel-head").locator("h3").first).to_have_text("Layer 0, head 1")


def test_every_view_keeps_prompt_and_token(site: Hosted, page: Page):
    site.look(page, "tokens", run="experts", prompt="The dog barks")
    page.get_by_test_id("token-texts").locator(".chip").nth(4).click()
    for view in VIEWS[1:]:
        page.locator(f"#tab-{view}").click()
        shown(page, view)
        expect(page.get_by_test_id("prompt")).to_have_value("The dog barks")
        expect(page.get_by_test_id("strip").locator("[aria-selected=true]")).to_have_attribute(
            "data-index", "4"
        )
    assert hash_of(page) == {"view": "shapes", "run": "experts", "prompt": "The dog barks", "token": "4"} | (
        {"place": "look"} if "place" in hash_of(page) else {}
    )


def test_nonsense_in_an_address_gives_the_defaults(site: Hosted, page: Page):
    page.goto(
        f"{site.url}/#place=nowhere&view=<b>&token=x&layer=-9&temperature=99&top_k=&run=rotary&prompt=The"
    )
    shown(page, "tokens")
    expect(page.get_by_test_id("prompt")).to_have_value("The")


def test_two_tabs_do_not_disturb_each_other(site: Hosted, page: Page, context: BrowserContext):
    other = context.new_page()
    site.look(page, "attention", run="rotary", prompt="The cat", layer=0, head=0)
    site.look(other, "sampling", run="learned", prompt="The owl")
    page.get_by_test_id("prompt").fill("The cow moos")
    other.get_by_test_id("temperature").fill("1.5")
    expect(page.get_by_test_id("strip").locator(".chip")).to_have_count(12)
    expect(other.get_by_test_id("prompt")).to_have_value("The owl")
    expect(other.get_by_test_id("panel-sampling").get_by_test_id("stamp").first).to_contain_text("learned")
    expect(page.get_by_test_id("panel-head").get_by_test_id("stamp")).to_contain_text("rotary")
    assert hash_of(page).get("temperature") is None
    assert hash_of(other)["temperature"] == "1.5"
    for tab, word in ((page, "cow"), (other, "owl")):  # and both write at once
        tab.get_by_role("link", name="Chat").click()
        tab.get_by_test_id("message").fill(f"The {word}")
        tab.get_by_test_id("message").press("Enter")
    for tab, word in ((page, "cow"), (other, "owl")):
        expect(tab.get_by_test_id("regenerate-1")).to_be_visible()
        expect(tab.get_by_test_id("said-user")).to_have_text(f"The {word}")
    other.close()
