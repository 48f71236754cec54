"""How far a work has come, in a terminal as a bar, else as a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from pellucid.text.wording import duration

REFRESH_SECONDS = 0.2
LINE_SECONDS = 10.0  # between progress lines where there is no terminal to draw a bar in


class Bar:
    """Use as a context manager around the work; all goes to stderr."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False, soft_wrap=True)
        self.bar = Progress(
            TextColumn("{task.fields[status]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            refresh_per_second=5,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, status="", left="")
        self.last_drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        self.console.print(Text(message))

    def is_due(self) -> bool:
        """Whether it is time to draw again."""
        wait = REFRESH_SECONDS if self.console.is_terminal else LINE_SECONDS
        return time.monotonic() - self.last_drawn >= wait

    def draw(self, status: str, left: str, done: int, total: int) -> None:
        self.last_drawn = time.monotonic()
        if self.console.is_terminal:
            self.bar.start()
            self.bar.update(self.task, total=total, completed=done, status=status, left=left)
        else:
            self.console.print(Text(f"{status}  {left}"))


class TimedBar(Bar):
    """Judges the time that is left by the speed since it first heard of a work: a resumed one does not begin at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.what, self.start = "", 0
        self.started = self.last_drawn = time.monotonic()

    def advanced(self, what: str, done: int, total: int) -> None:
        """`done` of `total` are done of `what`."""
        if what != self.what:
            self.what, self.started, self.start = what, time.monotonic(), done
        if not self.is_due():
            return
        left = f"{done / max(1, total):.0%}"
        if done > self.start:
            seconds = (time.monotonic() - self.started) * (total - done) / (done - self.start)
            left += f"  {duration(seconds)} left"
        self.draw(what, left, done, total)
