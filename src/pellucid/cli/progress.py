"""A training, watched in the terminal: notes, a bar with the time left, losses and samples as they come."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from pellucid.training.observer import EvalReport, Observer, StepReport
from pellucid.training.report import duration

REFRESH_SECONDS = 0.2
LINE_SECONDS = 10.0  # between progress lines where there is no terminal to draw a bar in
SAMPLE_CHARACTERS = 240


class TerminalObserver(Observer):
    """Use as a context manager around a training."""

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
        self.loss: float | None = None
        self.loads: list[list[float]] | None = None
        self.last_drawn = 0.0
        self.started = time.monotonic()

    def __enter__(self) -> TerminalObserver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def note(self, message: str) -> None:
        self.console.print(Text(message))

    def stepped(self, report: StepReport) -> None:
        self.loss = report.loss if self.loss is None else 0.95 * self.loss + 0.05 * report.loss
        self.loads = report.batch.expert_loads
        now = time.monotonic()
        wait = REFRESH_SECONDS if self.console.is_terminal else LINE_SECONDS
        if now - self.last_drawn < wait or not report.tokens_per_second:
            return
        self.last_drawn = now
        left = (report.total_steps - report.step) * report.seconds / report.step if report.step else 0.0
        speed = f"{report.tokens_per_second:,.0f} tokens/s"
        status = f"step {report.step:,}/{report.total_steps:,}  loss {self.loss:.3f}  {speed}"
        if self.console.is_terminal:
            self.bar.start()
            self.bar.update(
                self.task,
                total=report.total_steps,
                completed=report.step,
                status=status,
                left=f"{duration(left)} left",
            )
        else:
            self.console.print(f"{status}  {duration(left)} left")

    def evaluated(self, report: EvalReport) -> None:
        dev = (
            f"dev {report.dev.loss:.4f} ({report.dev.bits_per_byte:.3f} bits a byte)  " if report.dev else ""
        )
        mark = "  [green]best[/green]" if report.best and report.dev and report.step else ""
        self.console.print(
            f"[bold]step {report.step:,}[/bold]  {dev}train {report.train.loss:.4f}  "
            f"[dim]{duration(report.seconds)}[/dim]{mark}"
        )
        if self.loads:
            shares = [share for layer in self.loads for share in layer]
            even = 1 / len(self.loads[0])
            self.console.print(
                f"  expert loads {min(shares):.1%} to {max(shares):.1%} of a layer's tokens (even: {even:.1%})"
            )

    def sampled(self, step: int, text: str) -> None:
        shown = " ".join(text.split())[:SAMPLE_CHARACTERS]
        self.console.print(f"  [dim italic]{escape(shown)}[/dim italic]")

    def saved(self, path: Path) -> None:
        pass
