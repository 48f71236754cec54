"""Pictures of every view of the page, in light and dark, into docs/pictures: `make screenshots`.

Of a Shakespeare model that is trained here for three minutes, or of the run that is named:
`python docs/screenshots.py [RUN]`. Needs Chromium, as the tests of the page do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
PROMPT = "O Romeo, Romeo! wherefore art thou"
SIZE = {"width": 1280, "height": 960}
CHROMIUM = os.environ.get("PELLUCID_CHROMIUM") or shutil.which("chromium")
RUN = "shakespeare-1"


def pellucid(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pellucid", *arguments]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve what is under `home`; gives the address."""
    environment = {**os.environ, "PELLUCID_NO_BROWSER": "1"}
    server = subprocess.Popen(
        pellucid("serve", "--port", "0"), cwd=home, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr
        yield next(found[0] for line in server.stderr if (found := re.search(r"http://[\d.]+:\d+", line)))
    finally:
        server.terminate()
        server.wait()


def enlarged(page: Page) -> None:
    page.get_by_test_id("head-map").wait_for()


def drawn(page: Page) -> None:
    page.get_by_test_id("draw-many").click()
    page.get_by_test_id("drawn").first.wait_for()


def talked(page: Page) -> None:
    """Say something as Romeo, colour the reply by surprise and ask for a token's alternatives."""
    page.get_by_test_id("play-hint").get_by_role("button").click()
    page.get_by_test_id("composer").get_by_role("textbox").fill("My lady, wherefore dost thou weep?")
    page.get_by_test_id("send").click()
    page.get_by_test_id("regenerate-1").wait_for()
    page.get_by_test_id("colour").check()
    page.get_by_test_id("token").last.click()
    page.get_by_test_id("popover").wait_for()


def previewed(page: Page) -> None:
    page.get_by_test_id("corpus-shakespeare").click()
    page.get_by_test_id("forecast").wait_for(timeout=120_000)


def nothing(page: Page) -> None:
    page.wait_for_timeout(1500)


VIEWS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "train": (f"place=train&run={RUN}", nothing),
    "start": ("place=train&job=new", previewed),
    "chat": (f"place=chat&run={RUN}", talked),
    "tokens": ("place=look&view=tokens", nothing),
    "bigram": ("place=look&view=bigram", nothing),
    "attention": ("place=look&view=attention", nothing),
    "head": ("place=look&view=attention&layer=1&head=2&query=9&key=7", enlarged),
    "untrained": ("place=look&view=attention&layer=1&head=2&mask=none", enlarged),
    "sampling": ("place=look&view=sampling&top_k=12&temperature=0.8", drawn),
    "shapes": ("place=look&view=shapes", nothing),
}


def photograph(url: str, scheme: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (state, act) in VIEWS.items():
            page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")  # pyright: ignore
            prompt = f"&prompt={PROMPT}" if "look" in state else ""
            page.goto(f"{url}/#{state}{prompt}")
            act(page)
            page.wait_for_timeout(400)
            page.screenshot(path=PICTURES / f"{name}-{scheme}.png")
            page.close()
            print(f"docs/pictures/{name}-{scheme}.png")
        browser.close()


def main(run: str | None) -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home, target = Path(folder), Path(folder) / "runs" / RUN
        if run:
            shutil.copytree(run, target)
        else:
            subprocess.run(
                pellucid("train", "shakespeare", "--minutes", "3", "--out", str(target)), check=True
            )
        with served(home) as url:
            for scheme in ("light", "dark"):
                photograph(url, scheme)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
