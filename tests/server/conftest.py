"""A real server on a free port, around a small run that was really trained."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import PATIENCE
from serving import address_of
from threads import one_thread  # noqa: F401 (a fixture)

from pellucid.generation.conversation import SpeechCutter
from pellucid.generation.decoding import Draft
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.server.house import House, RunsRoot
from pellucid.server.jobs import Jobs
from pellucid.server.models import Models
from pellucid.server.scheduler import Scheduler

RUN = "farm-1"


@dataclasses.dataclass
class Running:
    """A server that answers at `url`."""

    url: str
    house: House
    client: httpx.Client

    def chat(self, message: str = "The cat", **fields: Any) -> httpx.Response:
        return self.client.post("/api/chat", json={"message": message, **fields})

    @property
    def token(self) -> dict[str, str]:
        return {"X-Pellucid-Token": self.house.token}


Start = Callable[..., Running]


@contextlib.contextmanager
def running(runs: Path, key: str | None = None, **scheduler: int) -> Iterator[Running]:
    root = RunsRoot(runs)
    house = House(root, Models(root, "cpu"), Scheduler(**scheduler), Jobs(root, lambda _: None), key)
    with address_of(house) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        yield Running(url, house, client)


@pytest.fixture(scope="session")
def trained(
    train_tiny: Callable[..., Any], grammar: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of runs with one in it, of a model that has seen speeches."""
    folder = tmp_path_factory.mktemp("served")
    lines = grammar(400).splitlines()
    speeches = zip(lines[::2], lines[1::2], strict=True)
    text = "".join(f"YOU:\n{asked}\n\nPELLUCID:\n{answered}\n\n" for asked, answered in speeches)
    (folder / "farm.txt").write_text(text + "0123456789 abcdefghijklmnopqrstuvwxyz", encoding="utf-8")
    runs = folder / "runs"
    train_tiny(
        runs / RUN,
        folder / "farm.txt",
        steps=150,
        context_length=128,
        d_model=32,
        checkpoint_every=75,
        eval_every=75,
    )
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The same, to do with as a test likes."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


@pytest.fixture(scope="session")
def server(trained: Path) -> Iterator[Running]:
    """A server that tests share and leave as it was."""
    with running(trained) as live:
        yield live


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server of one's own around a folder of runs."""
    with contextlib.ExitStack() as stack:
        yield lambda runs, **settings: stack.enter_context(running(runs, **settings))


@pytest.fixture
def endless(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs whose replies go on to max_tokens: no end of a speech is looked for, nor the end of the text."""
    draft = Engine.draft

    def endless_draft(self: Engine, prompt: str, options: SamplingOptions, *rest: Any, **more: Any) -> Draft:
        return draft(self, prompt, dataclasses.replace(options, ignore_eos=True), *rest, **more)

    monkeypatch.setattr(Engine, "draft", endless_draft)
    monkeypatch.setattr(SpeechCutter, "ended", property(lambda self: False))
    monkeypatch.setattr(SpeechCutter, "push", lambda self, piece: piece)
    return runs
