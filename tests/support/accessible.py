"""Whether axe finds anything to complain of on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def check(page: Page, where: str) -> None:
    # colours on their way to others have no contrast of their own
    page.emulate_media(reduced_motion="reduce")
    found = Axe().run(page)
    told = [
        f"{where}: {each['id']}: {each['help']}: "
        + "; ".join(str(node["target"]) for node in each["nodes"][:4])
        for each in found.response["violations"]
    ]
    assert not told, "\n".join(told)


def check_width(page: Page) -> None:
    """Nothing is wider than the screen."""
    there, room = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert there <= room
