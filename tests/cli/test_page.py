"""The page beside other verbs: real processes, in a terminal, with a browser that only notes where it was sent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from patience import PATIENCE

from pellucid.training.run_folder import RunFolder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
TINY = ["--config", "recipe.toml", "--steps", "9000", "--eval-every", "3000"]
RECIPE = """
[model]
n_layers = 1
n_heads = 2
d_model = 16
context_length = 16
[training]
batch_size = 4
precision = "float32"
device = "cpu"
"""


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=PATIENCE)


class Terminal:
    """A process that thinks a person sits before it."""

    def __init__(self, arguments: list[str], visited: Path, here: Path) -> None:
        self.visited = visited
        self.master, slave = os.openpty()
        environment = {k: v for k, v in os.environ.items() if k not in ("PELLUCID_NO_BROWSER", "DISPLAY")}
        browser = here / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" > {visited}.tmp\nmv {visited}.tmp {visited}\n')
        browser.chmod(0o755)
        self.log = (here / "log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave,
            stdout=self.log,
            stderr=slave,
            cwd=here,
            env={**environment, "BROWSER": f"{browser} %s", "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self._said = b""

    def said(self) -> str:
        with contextlib.suppress(OSError):  # nothing new, or the process has ended
            self._said += os.read(self.master, 1 << 16)
        return self._said.decode("utf-8", "replace")

    def until(self, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        end = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < end, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
            self.said()
        return found

    def address(self) -> Any:
        """Where the browser was sent."""
        self.until(self.visited.exists)
        return urlsplit(self.visited.read_text().strip())

    def interrupt(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.said()
            self.said()
            time.sleep(0.02)
        self.said()
        return self.process.returncode


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(here: Path) -> Iterator[Open]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(list(arguments), here / "visited", here))
        return opened[-1]

    yield open_terminal
    for each in opened:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        os.close(each.master)
        each.log.close()


def test_a_training_watched_on_the_page_stops_saved_with_ctrl_c(terminal: Open, farm: Path):
    (farm.parent / "recipe.toml").write_text(RECIPE)
    shown = terminal("-m", "pellucid", "train", "farm.txt", "--page", *TINY)
    address = shown.address()
    assert parse_qs(address.fragment) == {"place": ["train"], "run": ["farm-1"]}
    assert f"The page is at http://{address.netloc}/#place=train&run=farm-1" in shown.said()
    url = f"http://{address.netloc}/api/runs/farm-1"
    record = shown.until(lambda: (answer := get(url)).status_code == 200 and answer.json())
    assert record["state"] == "training"
    shown.until(lambda: get(url).json()["step"] > 2)
    jobs = get(f"http://{address.netloc}/api/jobs").json()["jobs"]
    assert [(job["kind"], job["state"], job["run"]) for job in jobs] == [("train", "running", "farm-1")]
    shown.until(lambda: "Forecast:" in shown.said())
    assert shown.interrupt() == 130
    said = shown.said()
    assert "Stopping the training and saving it" in said
    assert "farm-1: stopped at step" in said
    assert "--resume" in said
    assert "Traceback" not in said
    run = RunFolder(farm.parent / "runs" / "farm-1")
    assert run.checkpoints.steps()[-1] == run.metrics()[-1]["step"]


def test_a_training_that_cannot_begin_ends_the_page_too(terminal: Open, farm: Path):
    shown = terminal("-m", "pellucid", "train", "missing.txt", "--page", "--steps", "5")
    end = time.monotonic() + PATIENCE
    while shown.process.poll() is None:
        assert time.monotonic() < end, shown.said()
        shown.said()
        time.sleep(0.05)
    assert shown.process.returncode == 2
    assert "missing.txt does not exist" in shown.said()
    assert not (farm.parent / "runs").exists() or not list((farm.parent / "runs").iterdir())


def test_a_new_model_is_shown_where_one_looks_inside(terminal: Open, finished_run: Path):
    code = (
        "from pathlib import Path; from pellucid.cli.page import show_page; "
        "from pellucid.training.run_folder import RunFolder; show_page(RunFolder(Path('runs/farm-1')))"
    )
    shown = terminal("-c", code)
    address = shown.address()
    assert parse_qs(address.fragment) == {"place": ["look"], "run": ["farm-1"]}
    assert get(f"http://{address.netloc}/api/session").json()["default_run"] == "farm-1"
    assert shown.interrupt() == 0
    assert "pellucid serve" in shown.said()


def test_without_a_terminal_no_page_is_served(finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    from pellucid.cli.page import show_page

    monkeypatch.setenv("PELLUCID_NO_BROWSER", "1")
    show_page(RunFolder(finished_run))  # returns at once
