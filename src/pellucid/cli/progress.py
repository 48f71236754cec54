"""A training, watched in the terminal: notes, a bar with the time left, losses and samples as they come."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from pellucid.cli.bar import Bar
from pellucid.text.wording import duration
from pellucid.training.observer import EvalReport, Observer, StepReport

SAMPLE_CHARACTERS = 240


class TerminalObserver(Bar, Observer):
    """Use as a context manager around a training."""

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(quiet)
        self.loss: float | None = None
        self.loads: list[list[float]] | None = None

    def stepped(self, report: StepReport) -> None:
        self.loss = report.loss if self.loss is None else 0.95 * self.loss + 0.05 * report.loss
        self.loads = report.batch.expert_loads
        if not self.is_due() or not report.tokens_per_second:
            return
        left = (report.total_steps - report.step) * report.seconds / report.step if report.step else 0.0
        speed = f"{report.tokens_per_second:,.0f} tokens/s"
        status = f"step {report.step:,}/{report.total_steps:,}  loss {self.loss:.3f}  {speed}"
        self.draw(status, f"{duration(left)} left", report.step, report.total_steps)

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
