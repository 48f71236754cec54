"""Real processes to kill, and what must be the same afterwards."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RECIPE = """
[model]
n_layers = 1
n_heads = 2
d_model = 16
context_length = 16
dropout = 0.1
[training]
batch_size = 4
accumulate = 2
sample_tokens = 4
precision = "float32"
device = "cpu"
"""

Launch = Callable[..., "Process"]


@dataclasses.dataclass
class Process:
    """A `pellucid` command running in a process of its own."""

    pid: int
    server: Server
    err: Path
    out: Path
    code: int | None = None

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        if self.code is None:
            self.code = self.server.ask({"wait": self.pid})
        return self.code

    def messages(self) -> str:
        return self.err.read_text(encoding="utf-8", errors="replace")

    def until_says(self, words: str, seconds: float = 60) -> None:
        self._until(lambda: words in self.messages(), f"it never said {words!r}:", seconds)

    def until_step(self, run: Path, step: int, seconds: float = 60) -> None:
        """Until metrics.jsonl tells of a step."""
        path = run / "metrics.jsonl"
        self._until(
            lambda: path.exists() and f'"step": {step},' in path.read_text(), f"no step {step}:", seconds
        )

    def _until(self, true: Callable[[], bool], complaint: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"{complaint}\n{self.messages()}"
            time.sleep(0.01)


class Server:
    """The process that forks the others."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forks.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, order: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where the system has such a folder: these tests sync thousands of files."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def _server() -> Iterator[Server]:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    server = Server()
    yield server
    server.process.communicate()


@pytest.fixture
def launch(_server: Server, tmp_path: Path) -> Iterator[Launch]:
    """Start `pellucid` with some arguments in a process of its own, in the test's folder."""
    started: list[Process] = []

    def start(*arguments: object, die_at: int | None = None) -> Process:
        number = len(started)
        out, err = tmp_path / f"out-{number}", tmp_path / f"err-{number}"
        err.touch()
        order = {
            "argv": [str(argument) for argument in arguments],
            "cwd": str(tmp_path),
            "out": str(out),
            "err": str(err),
            "die_at": die_at,
        }
        started.append(Process(_server.ask(order), _server, err, out))
        return started[-1]

    yield start
    for process in started:  # none outlives its test
        if process.code is None:
            process.send(signal.SIGKILL)
            process.wait()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Bits:
    """All of a run that must not depend on how often it was stopped; torch's random state is with the optimizer."""

    last: int
    files: dict[str, bytes]
    counters: dict[str, Any]
    steps: list[tuple[int, float, float, float]]
    evaluations: list[tuple[int, float, float, bool]]
    samples: str


def bits(run: Path) -> Bits:
    from pellucid.training.run_folder import RunFolder

    folder = RunFolder(run)
    last = folder.checkpoints.steps()[-1]
    checkpoint = folder.checkpoints.path(last)
    trainer = json.loads((checkpoint / "trainer.json").read_text())
    records = folder.metrics()
    files = (checkpoint / "model.safetensors", checkpoint / "optimizer.safetensors", folder.model_path)
    return Bits(
        last,
        {str(file.relative_to(run)): file.read_bytes() for file in files},
        {name: value for name, value in trainer["progress"].items() if name != "seconds"},
        [(r["step"], r["loss"], r["rate"], r["gradient_norm"]) for r in records if "loss" in r],
        [(r["step"], r["dev_loss"], r["train_sample_loss"], r["best"]) for r in records if "dev_loss" in r],
        folder.samples_path.read_text(encoding="utf-8"),
    )


@pytest.fixture(scope="session")
def bits_of() -> Callable[[Path], Bits]:
    return bits
