"""Real processes of `pellucid`, forked in milliseconds: to kill, to resume, and to train together."""

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
from patience import PATIENCE
from ports import free_port

Launch = Callable[..., "Process"]
LaunchAll = Callable[..., "list[Process]"]


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

    def until_says(self, words: str, seconds: float = PATIENCE) -> None:
        self._until(lambda: words in self.messages(), f"it never said {words!r}:", seconds)

    def until_step(self, run: Path, step: int, seconds: float = PATIENCE) -> None:
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
    """Start `pellucid` with some arguments in a process of its own, in the test's folder.

    `env` is laid over the environment; with `call`, "module:function" of tests/support, that is called instead.
    With `hold_at` a training waits at that step for what it is sent; one of several processes cannot.
    """
    started: list[Process] = []

    def start(*arguments: object, die_at: int | None = None, **more: Any) -> Process:
        number = len(started)
        out, err = tmp_path / f"out-{number}", tmp_path / f"err-{number}"
        err.touch()
        order = {
            "argv": [str(argument) for argument in arguments],
            "cwd": str(tmp_path),
            "out": str(out),
            "err": str(err),
            "die_at": die_at,
            **more,
        }
        started.append(Process(_server.ask(order), _server, err, out))
        return started[-1]

    yield start
    for process in started:  # none outlives its test
        if process.code is None:
            process.send(signal.SIGKILL)
            process.wait()


@pytest.fixture
def launch_all(launch: Launch) -> LaunchAll:
    """Start so many processes of one training, as torchrun does it; `each` gives further arguments of one."""

    def start(
        count: int, *arguments: object, each: Callable[[int], list[object]] = lambda rank: [], **how: Any
    ) -> list[Process]:
        port = free_port()
        same = {
            "WORLD_SIZE": count,
            "LOCAL_WORLD_SIZE": count,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        return [
            launch(
                *arguments,
                *each(rank),
                env={name: str(value) for name, value in {**same, "RANK": rank, "LOCAL_RANK": rank}.items()},
                **how,
            )
            for rank in range(count)
        ]

    return start


def all_done(processes: list[Process]) -> None:
    """Wait for all, which must end well."""
    for process in processes:
        assert process.wait() == 0, process.messages()
