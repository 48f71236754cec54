"""One job: a process, and what can be read of it while it runs and when it has ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from pellucid.server.plain import plain
from pellucid.training.control import Control
from pellucid.training.run_folder import RunFolder, is_run

LOG_LINES = 200
LOG_BYTES = 1 << 16  # of a log, from its end, that are looked at
MOST_RESULT = 1 << 24  # bytes
INTERRUPTED = 130
ASKS_BACK = 2  # as of any bad input
ENDINGS = {
    9: "killed (SIGKILL), by somebody or by a system short of memory",
    11: "ended by a fault (SIGSEGV)",
}


@dataclasses.dataclass(frozen=True)
class Source:
    """A named corpus, or an upload."""

    corpus: str | None = None
    upload: str | None = None

    def record(self) -> dict[str, str]:
        """As it was asked for."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


@dataclasses.dataclass
class Job:
    """A process, and what it leaves: `log` (stderr) and `out` (stdout) are files."""

    id: str
    kind: str
    process: subprocess.Popen[bytes]
    folder: Path
    run: Path | None = None  # where it trains
    is_new: bool = False  # the run is made by this job
    source: Source | None = None  # what was asked for, so that a page that is reloaded can show it again
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    chat: dict[str, Any] | None = None  # how it is read, where it is one
    hidden: str = ""  # the folder of its text, with a slash: an upload's own, which means nothing to anybody
    cancelled: bool = False
    settled: bool = False
    said_why: str | None = None  # it ended, kept

    @property
    def trains(self) -> bool:
        """Whether it makes a run, or goes on with one."""
        return self.kind != "preview"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    @property
    def state(self) -> str:
        if self.code is None:
            return "running"
        if self.code == 0:
            return "done"
        return "cancelled" if self.cancelled or self.code == INTERRUPTED else "failed"

    def lines(self) -> list[str]:
        """The last lines of what it says."""
        text = end_of(self.log, LOG_BYTES).decode("utf-8", "replace")
        return ["".join(c if c.isprintable() else " " for c in line) for line in text.splitlines()][
            -LOG_LINES:
        ]

    def result(self) -> dict[str, Any] | None:
        """The JSON object that it printed last."""
        return self._printed() if self.code == 0 else None

    def question(self) -> dict[str, Any] | None:
        """What a preview asks back before it can go on, as where dates can be read in two ways."""
        return (self._printed() or {}).get("question") if self.code == ASKS_BACK else None

    def _printed(self) -> dict[str, Any] | None:
        try:
            line = end_of(self.out, MOST_RESULT).splitlines()[-1].decode()
            value = json.loads(line.replace(json.dumps(self.hidden)[1:-1], "") if self.hidden else line)
        except (ValueError, IndexError):
            return None
        return value if isinstance(value, dict) else None

    def problem(self) -> str | None:
        """Why it ended before its end, in plain words; None where it did not, or was asked to."""
        if self.code in (None, 0) or self.state == "cancelled":
            return None
        self.said_why = self.said_why or self._why(self.code)
        return self.said_why

    def _why(self, code: int) -> str:
        if code < 0:
            what = ENDINGS.get(-code, f"ended by signal {-code}")
            return f"the {'training' if self.trains else self.kind} was {what}"
        said = [line.removeprefix("pellucid: ") for line in self.lines() if line.startswith("pellucid: ")]
        return said[-1] if said else (self.lines() or [f"it ended with exit code {code}"])[-1]

    def record(self) -> dict[str, Any]:
        """JOB of the contract between server and page."""
        return plain(
            {
                "id": self.id,
                "kind": self.kind,
                "state": self.state,
                "run": self.run.name if self.run and is_run(self.run) else None,
                "log": self.lines(),
                "result": self.result(),
                "question": self.question(),
                "problem": self.problem(),
                "source": self.source.record() if self.source else None,
                "settings": self.settings,
                "chat": self.chat,
            }
        )

    def asked(self, source: Source, settings: dict[str, Any], chat: dict[str, Any] | None = None) -> Job:
        """Note what it was started with."""
        self.source, self.settings, self.chat = source, settings, chat
        return self

    def ask_to_end(self) -> None:
        """A training that has begun saves first."""
        if self.code is not None:
            return
        if os.name == "nt" and self.run and is_run(self.run):
            Control(RunFolder(self.run)).stop()  # Windows has no signal that a process may answer
        else:
            self.process.terminate()


def end_of(path: Path, n_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - n_bytes))
            return file.read()
    except OSError:
        return b""


def wait(job: Job, seconds: float) -> bool:
    """Whether it ended within `seconds`."""
    try:
        job.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def end(job: Job, seconds: float) -> None:
    """Wait for a job that was asked to end, and kill it after `seconds`: nothing is lost with a preview."""
    if wait(job, seconds):
        return
    if os.name == "nt":
        job.process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):  # it has ended just now
            os.killpg(job.process.pid, signal.SIGKILL)
