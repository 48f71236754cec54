"""What a training tells those who watch: the terminal's progress bar, tests, and later the page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pellucid.training.evaluation import Score


@dataclasses.dataclass(frozen=True)
class StepReport:
    """One optimizer step: `loss` in nats of its own batch, `rate` the learning rate, `seconds` since the start."""

    step: int
    total_steps: int
    tokens: int
    seconds: float
    rate: float
    loss: float
    gradient_norm: float
    tokens_per_second: float


@dataclasses.dataclass(frozen=True)
class EvalReport:
    """Scores with dropout off: of the dev split (None without one) and of a fixed sample of the training split."""

    step: int
    tokens: int
    seconds: float
    dev: Score | None
    train: Score
    best: bool


class Observer:
    """Hears of everything and does nothing; subclasses override what they care for."""

    def planned(self, step: int, total_steps: int) -> None: ...

    def stepped(self, report: StepReport) -> None: ...

    def evaluated(self, report: EvalReport) -> None: ...

    def sampled(self, step: int, text: str) -> None: ...

    def saved(self, path: Path) -> None: ...

    def note(self, message: str) -> None: ...
