"""For everyone: by keys alone, read aloud, on a narrow screen, in light and dark, without motion."""

from __future__ import annotations

import re
from typing import Any

import pytest
from accessible import check
from browsing import VIEWS, Hosted, hash_of, shown
from playwright.sync_api import Page, expect
from serving import until

PROMPT = "The cat in the barn"


def focused(page: Page, attribute: str = "data-testid") -> str:
    return page.evaluate("name => document.activeElement?.getAttribute(name) ?? ''", attribute)


def tab_to(page: Page, testid: str, most: int = 60) -> None:
    """Press Tab until an element has the focus, once it is there."""
    expect(page.locator(f"[data-testid={testid}], [id={testid}]").first).to_be_visible()
    for _ in range(most):
        if focused(page) == testid or focused(page, "id") == testid:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{testid} cannot be reached with Tab")


def test_by_keys_alone_from_training_over_chat_into_a_cell(talk_site: Hosted, page: Page):
    talk_site.open(page, place="chat", temperature=0.1, top_k=1)
    expect(page.get_by_test_id("message")).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.reload()
    expect(page.get_by_test_id("message")).to_be_enabled()

    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.locator("#places a[data-place=train]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("run-live")).to_be_visible()
    tab_to(page, "new-training")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("choose-files")).to_be_visible()
    page.locator("#places a").first.focus()
    tab_to(page, "choose-files")

    page.locator("#places a[data-place=chat]").focus()
    page.keyboard.press("Enter")
    tab_to(page, "message")
    page.keyboard.type("What does the owl do in the barn?")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("regenerate-1")).to_be_visible()
    said = page.get_by_test_id("message-1").get_by_test_id("said-model").text_content() or ""
    expect(page.locator("#announcer")).to_contain_text(said)
    page.get_by_test_id("message-1").get_by_test_id("token").first.focus()
    page.keyboard.press("ArrowRight")
    second = page.get_by_test_id("message-1").get_by_test_id("token").nth(1)
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("popover")).to_be_visible()
    expect(page.get_by_test_id("alternative").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("popover")).to_be_hidden()
    expect(second).to_be_focused()

    page.locator("#places a[data-place=look]").focus()
    page.keyboard.press("Enter")
    tab_to(page, "prompt")
    page.keyboard.press("Control+A")
    page.keyboard.type("The cow")
    tab_to(page, "tab-tokens")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    shown(page, "attention")
    until(lambda: hash_of(page)["view"] == "attention")
    tab_to(page, "tile-0-0")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("tile-1-0")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("panel-head").get_by_test_id("stamp")).not_to_be_empty()
    tab_to(page, "head-map")
    page.keyboard.press("ArrowDown")
    readout = page.get_by_test_id("panel-head").get_by_test_id("readout").first
    expect(readout).to_have_attribute("data-query", "1")
    weight = float(readout.get_attribute("data-weight") or "nan")
    # what was said of a cell before may still be there
    expect(page.locator("#announcer")).to_have_text(re.compile(r" 1 looks at .* 0: weight [\d.]+"))
    spoken = re.search(r"weight ([\d.]+)", page.locator("#announcer").text_content() or "")
    assert spoken
    assert float(spoken[1]) == pytest.approx(weight, rel=6e-3, abs=1e-3)
    page.keyboard.press("Enter")
    until(lambda: hash_of(page).get("query") == "1")
    page.keyboard.press("Escape")
    until(lambda: "query" not in hash_of(page))
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("panel-head")).to_be_hidden()
    expect(page.get_by_test_id("tile-1-0")).to_be_focused()


# ---------------------------------------------------------------------- every place and view

SCENES: dict[str, dict[str, Any]] = {
    **{view: {"place": "look", "view": view, "prompt": PROMPT} for view in VIEWS},
    "head": {
        "place": "look",
        "view": "attention",
        "prompt": PROMPT,
        "layer": 1,
        "head": 1,
        "query": 3,
        "key": 1,
    },
    "train": {"place": "train"},
    "start": {"place": "train", "job": "new"},
    "chat": {"place": "chat", "temperature": 0.1, "top_k": 1},
}


def visit(site: Hosted, page: Page, scene: str) -> None:
    site.open(page, run="talker", **SCENES[scene])
    if scene in VIEWS or scene == "head":
        shown(page, "attention" if scene == "head" else scene)
    if scene == "head":
        expect(page.get_by_test_id("dot")).to_be_visible()
    if scene == "train":
        expect(page.get_by_test_id("samples").locator("li").first).to_be_visible()
    if scene == "start":
        expect(page.get_by_test_id("drop")).to_be_visible()
    if scene == "chat":
        if not page.get_by_test_id("message-1").count():
            page.get_by_test_id("message").fill("What does the owl do in the barn?")
            page.get_by_test_id("message").press("Enter")
        expect(page.get_by_test_id("regenerate-1")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(talk_site: Hosted, page: Page, theme: str):
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    problems = []
    for scene in SCENES:
        visit(talk_site, page, scene)
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        try:
            check(page, f"{scene}, {theme}")
        except AssertionError as error:
            problems.append(str(error))
    page.get_by_test_id("message-1").get_by_test_id("token").first.click()  # in the chat, which was last
    expect(page.get_by_test_id("alternative").first).to_be_visible()
    for testid in ("popover", "dialog", "table"):
        if testid == "dialog":
            visit(talk_site, page, "train")
            page.get_by_test_id("delete-talker").click()
            expect(page.get_by_test_id("dialog")).to_be_visible()
        if testid == "table":
            page.get_by_test_id("dialog-no").click()
            visit(talk_site, page, "sampling")
            page.get_by_test_id("panel-sampling").get_by_test_id("show-table").click()
            expect(page.get_by_test_id("panel-sampling").locator("tbody tr").first).to_be_visible()
        try:
            check(page, f"{testid}, {theme}")
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("width", [375, 2560])
def test_nothing_is_wider_than_the_screen(talk_site: Hosted, page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 800})
    wide = []
    for scene in SCENES:
        visit(talk_site, page, scene)
        there, room = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        if there > room:
            wide.append(f"{scene}: {there} > {room}")
    assert not wide, wide


def test_nothing_moves_where_motion_is_not_wanted(talk_site: Hosted, page: Page):
    page.emulate_media(reduced_motion="reduce")
    for scene in ("attention", "train", "chat"):
        visit(talk_site, page, scene)
        longest = page.evaluate(
            """() => Math.max(...[...document.querySelectorAll("*")].flatMap(each => {
              const style = getComputedStyle(each);
              return [style.transitionDuration, style.animationName === "none" ? "0s" : style.animationDuration];
            }).join(",").split(",").map(text => parseFloat(text) * (text.trim().endsWith("ms") ? 1 : 1000)))"""
        )
        assert longest <= 1, scene
    page.emulate_media(reduced_motion="no-preference")
    longest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("*")].flatMap(each =>
          getComputedStyle(each).transitionDuration.split(",").map(text => parseFloat(text) * 1000)))"""
    )
    assert longest <= 300


def test_the_theme_can_be_chosen_and_is_remembered(site: Hosted, page: Page):
    page.emulate_media(color_scheme="light")
    site.look(page, "attention", run="rotary", prompt=PROMPT)
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
