"""What a training tells those who watch: the terminal's progress bar, tests, and later the page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

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

    def record(self) -> dict[str, Any]:
        """Its line of metrics.jsonl."""
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "rate": self.rate,
            "loss": self.loss,
            "gradient_norm": self.gradient_norm,
            "tokens_per_second": round(self.tokens_per_second, 1),
        }


@dataclasses.dataclass(frozen=True)
class EvalReport:
    """Scores with dropout off: of the dev split (None without one) and of a fixed sample of the training split."""

    step: int
    tokens: int
    seconds: float
    dev: Score | None
    train: Score
    best: bool

    def record(self) -> dict[str, Any]:
        """Its line of metrics.jsonl."""
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "dev_loss": self.dev.loss if self.dev else None,
            "dev_bits_per_byte": self.dev.bits_per_byte if self.dev else None,
            "train_sample_loss": self.train.loss,
            "train_sample_bits_per_byte": self.train.bits_per_byte,
            "best": self.best,
        }


class Observer:
    """Hears of everything and does nothing; subclasses override what they care for."""

    def planned(self, step: int, total_steps: int) -> None: ...

    def stepped(self, report: StepReport) -> None: ...

    def evaluated(self, report: EvalReport) -> None: ...

    def sampled(self, step: int, text: str) -> None: ...

    def saved(self, path: Path) -> None: ...

    def note(self, message: str) -> None: ...
