"""The page in a real Chromium, on a real server, with three small models trained here.

Without Chromium these tests are skipped: `apt-get install chromium`, or name one in PELLUCID_CHROMIUM.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request

CHROMIUM = os.environ.get("PELLUCID_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SMALL = {"steps": 60, "context_length": 32, "batch_size": 8, "eval_every": 30, "sample_tokens": 8}
FLEET: dict[str, dict[str, Any]] = {
    "learned": {
        "positions": "learned",
        "norm": "layernorm",
        "activation": "gelu",
        "bias": True,
        "n_layers": 2,
        "n_heads": 2,
        "d_model": 32,
    },
    "rotary": {
        "positions": "rotary",
        "norm": "rmsnorm",
        "activation": "swiglu",
        "n_layers": 2,
        "n_heads": 4,
        "n_kv_heads": 2,
        "d_model": 32,
    },
    "experts": {
        "feedforward": "experts",
        "n_experts": 4,
        "experts_per_token": 2,
        "n_layers": 1,
        "n_heads": 2,
        "d_model": 32,
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM:
        return
    skip = pytest.mark.skip(reason="no Chromium here: apt-get install chromium, or set PELLUCID_CHROMIUM")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox"]}


# ---------------------------------------------------------------------- what is served


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, train_tiny: Callable[..., Any]) -> Path:
    """A folder with runs/learned, runs/rotary and runs/experts."""
    home = tmp_path_factory.mktemp("home")
    for name, settings in FLEET.items():
        train_tiny(home / "runs" / name, **{**SMALL, **settings})
    return home


class Served:
    """`pellucid serve` as a process of its own."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home, self.arguments = home, arguments
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, port: int = 0) -> Served:
        """Port 0 is any free one."""
        command = [sys.executable, "-m", "pellucid", "serve", *self.arguments, "--port", str(port)]
        environment = {**os.environ, "PELLUCID_NO_BROWSER": "1"}
        self.process = subprocess.Popen(
            command, cwd=self.home, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self.process.stderr
        for line in self.process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found[0]
                return self
        raise AssertionError("the server ended before it said where it is")

    def stop(self, how: int = signal.SIGINT) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)


@pytest.fixture(scope="session")
def served(home: Path) -> Iterator[Served]:
    server = Served(home).start()
    yield server
    server.stop()


@pytest.fixture
def own_server(home: Path, tmp_path: Path) -> Iterator[Served]:
    """One to kill, to delete runs of, to train in."""
    server = Served(Path(shutil.copytree(home, tmp_path / "home"))).start()
    yield server
    server.stop()


# ---------------------------------------------------------------------- what is watched in every test


class Watch:
    """What a page did that it should not have; a test that means to provoke errors names them in `expected`."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.expected: list[str] = []

    def attach(self, page: Page) -> None:
        page.on("request", self._requested)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _requested(self, request: Request) -> None:
        if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", request.url):
            self.requests.append(request.url)

    def check(self) -> None:
        assert not self.requests, "the page asked for something that is not on loopback"
        unexpected = [text for text in self.errors if not any(part in text for part in self.expected)]
        assert not unexpected, "the console has errors"


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """No request leaves loopback, and the console stays clean: in every test of the page."""
    watch = Watch()
    context.on("page", watch.attach)
    yield watch
    watch.check()


@pytest.fixture
def page(watch: Watch, context: BrowserContext) -> Page:
    return context.new_page()
