"""What tests of the page have in common: a server, its addresses, and an eye on what a page must never do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from patience import PATIENCE
from playwright.sync_api import Page, Request, expect
from serving import address_of, until

from pellucid.server.house import House, RunsRoot
from pellucid.server.jobs import Jobs
from pellucid.server.models import Models
from pellucid.server.scheduler import Scheduler

PLACES = ("train", "chat", "look")
VIEWS = ("tokens", "bigram", "attention", "sampling", "shapes")


class Site:
    """A server that a page is opened from.

    Args:
        url: without a slash at its end.
        home: the folder with `runs`.
    """

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home

    def address(self, **state: object) -> str:
        return f"{self.url}/#{urllib.parse.urlencode(state)}"

    def open(self, page: Page, **state: object) -> Page:
        page.goto(self.address(**state))
        return page

    def look(self, page: Page, view: str, **state: object) -> Page:
        """Open a view of Look inside and wait for what it shows."""
        self.open(page, place="look", view=view, **state)
        shown(page, view)
        return page

    def run(self, name: str) -> Path:
        return self.home / "runs" / name


class Hosted(Site):
    """A server in this process: what it does can be looked at."""

    def __init__(self, url: str, home: Path, house: House) -> None:
        super().__init__(url, home)
        self.house = house


@contextlib.contextmanager
def hosted(home: Path, **scheduler: int) -> Iterator[Hosted]:
    """Serve the runs in `home`, behind the same guard as `pellucid serve`; keyword arguments are the scheduler's."""
    root = RunsRoot(home / "runs")
    house = House(root, Models(root, "cpu"), Scheduler(**scheduler), Jobs(root, lambda _: None))
    with address_of(house) as url:
        yield Hosted(url, home, house)


class Served(Site):
    """`pellucid serve` as a process of its own: one to be killed."""

    def __init__(self, home: Path, *arguments: str) -> None:
        super().__init__("", home)
        self.arguments = arguments
        self.process: subprocess.Popen[str] | None = None
        self.said: list[str] = []

    def start(self, port: int = 0) -> Served:
        """Port 0 is any free one."""
        command = [sys.executable, "-m", "pellucid", "serve", *self.arguments, "--port", str(port)]
        environment = {**os.environ, "PELLUCID_NO_BROWSER": "1"}
        self.process = subprocess.Popen(
            command, cwd=self.home, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.said = []
        threading.Thread(target=self._drain, args=(self.process,), daemon=True).start()
        found = until(self._address)
        self.url = found
        return self

    def _drain(self, process: subprocess.Popen[str]) -> None:
        """A pipe that nobody reads would stop the server when it is full."""
        assert process.stderr
        self.said += process.stderr

    def _address(self) -> str:
        assert self.process
        assert self.process.poll() is None, "the server ended: " + "".join(self.said)
        found = re.search(r"http://127\.0\.0\.1:\d+", "".join(self.said))
        return found[0] if found else ""

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def stop(self, how: int = signal.SIGINT) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=PATIENCE)


class Watch:
    """What a page did that it should not have; a test that means to provoke errors names them in `expected`."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.expected: list[str] = []

    def attach(self, page: Page) -> None:
        page.on("request", self._requested)
        page.on(
            "console", lambda message: self.errors.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _requested(self, request: Request) -> None:
        if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", request.url):
            self.requests.append(request.url)

    def check(self) -> None:
        assert not self.requests, "the page asked for something that is not on loopback"
        unexpected = [text for text in self.errors if not any(part in text for part in self.expected)]
        assert not unexpected, f"the console has errors: {unexpected}"


def shown(page: Page, view: str) -> None:
    """Wait until a view has an answer: every panel says which weights it shows."""
    panel = page.get_by_test_id(f"panel-{view}")
    expect(panel.get_by_test_id("stamp").first).not_to_be_empty()
    expect(panel).not_to_have_attribute("aria-busy", "true")


def hash_of(page: Page) -> dict[str, str]:
    """The state that the address holds, as the page itself has it: `page.url` is told of a change later."""
    fragment = page.evaluate("location.hash").removeprefix("#")
    return dict(urllib.parse.parse_qsl(fragment, keep_blank_values=True))


def data_of(page: Page, selector: str) -> list[dict[str, str]]:
    """The data attributes of all that match, in order."""
    return page.eval_on_selector_all(selector, "all => all.map(each => ({...each.dataset}))")


def table_of(page: Page, panel: str) -> list[list[Any]]:
    """The rows of a panel's table: numbers where they are numbers, exactly as the page has them."""
    at = page.get_by_test_id(f"panel-{panel}")
    button = at.get_by_test_id("show-table").first  # a panel may hold another
    if button.get_attribute("aria-expanded") != "true":
        button.click()
    at.locator("tbody tr").first.wait_for()
    return at.locator("tbody").first.evaluate(
        "body => [...body.rows].map(row => [...row.cells].map(cell =>"
        " cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value)))"
    )
