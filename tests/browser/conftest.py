"""The page in a real Chromium, on a real server, with three small models trained here.

Without Chromium these tests are skipped: `apt-get install chromium`, or name one in PELLUCID_CHROMIUM.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Hosted, Served, Watch, hosted
from playwright.sync_api import BrowserContext, Page, expect
from ports import free_port
from threads import one_thread  # noqa: F401 (a fixture)

CHROMIUM = os.environ.get("PELLUCID_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SMALL = {
    "steps": 60,
    "context_length": 32,
    "batch_size": 8,
    "eval_every": 30,
    "checkpoint_every": 30,
    "lr": 5e-3,
}
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
PATIENCE = (
    90_000  # milliseconds for what should take one, or ten where a process starts: machines may be very busy
)


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


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    expect.set_options(timeout=PATIENCE)


# ---------------------------------------------------------------------- what is served


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, train_tiny: Callable[..., Any]) -> Path:
    """A folder with runs/learned, runs/rotary and runs/experts."""
    home = tmp_path_factory.mktemp("home")
    for name, settings in FLEET.items():
        train_tiny(home / "runs" / name, **{**SMALL, **settings})
    return home


@pytest.fixture(scope="session")
def site(home: Path) -> Iterator[Hosted]:
    """A server that tests share and leave as it was."""
    with hosted(home) as site:
        yield site


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> Path:
    """The same runs, to do with as a test likes."""
    return Path(shutil.copytree(home, tmp_path / "home"))


@pytest.fixture
def own_site(own_home: Path) -> Iterator[Hosted]:
    """A server of one's own, to delete runs of and to train in."""
    with hosted(own_home) as site:
        yield site


@pytest.fixture
def own_process(own_home: Path) -> Iterator[Served]:
    """`pellucid serve` as a process, to be killed."""
    server = Served(own_home).start(free_port())  # one that it can come back to
    yield server
    server.stop()


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory, train_tiny: Callable[..., Any]) -> Path:
    """A folder with runs/talker, which answers in one sentence that holds an emoji, by tokens smaller than one."""
    home = tmp_path_factory.mktemp("talking")
    draw = random.Random(0)
    animals = {"cat": "purrs 🙂", "dog": "barks 🐕", "cow": "moos 👩‍🚀", "owl": "hoots 🌙"}
    text = ""
    for _ in range(250):
        animal, place = (
            draw.choice(list(animals)),
            draw.choice(("in the barn", "by the river", "on the hill")),
        )
        answer = f"The {animal} {place} {animals[animal]} and sees the moon."
        text += f"YOU:\nWhat does the {animal} do {place}?\n\nPELLUCID:\n{answer}\n\n"
    (home / "talk.txt").write_text(text, encoding="utf-8")
    shape = {"n_layers": 2, "d_model": 48, "context_length": 128, "tokenizer": "bpe", "vocab_size": 320}
    train_tiny(
        home / "runs" / "talker", home / "talk.txt", **{**SMALL, **shape, "steps": 120, "eval_every": 120}
    )
    return home


@pytest.fixture
def talk_site(talking: Path, tmp_path: Path) -> Iterator[Hosted]:
    """A server of the talker alone, whose chats are one's own."""
    with hosted(Path(shutil.copytree(talking, tmp_path / "talking"))) as site:
        yield site


# ---------------------------------------------------------------------- what is watched in every test


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """No request leaves loopback, and the console stays clean: in every test of the page."""
    watch = Watch()
    context.on("page", watch.attach)
    yield watch
    watch.check()


@pytest.fixture
def page(watch: Watch, context: BrowserContext) -> Page:
    context.set_default_timeout(PATIENCE)
    return context.new_page()
