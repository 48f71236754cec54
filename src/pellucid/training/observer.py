"""What a training tells those who watch: the terminal's progress bar, tests, and later the page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.training.evaluation import Score
from pellucid.training.gradients import BatchLoss

if TYPE_CHECKING:
    from pellucid.training.report import Outcome


@dataclasses.dataclass(frozen=True)
class StepReport:
    """One optimizer step: `batch` is its own loss, `rate` the learning rate, `seconds` since the start."""

    step: int
    total_steps: int
    tokens: int
    seconds: float
    rate: float
    batch: BatchLoss
    gradient_norm: float
    tokens_per_second: float

    @property
    def loss(self) -> float:
        """Nats a token of the step's batch."""
        return self.batch.loss

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
            **self._experts(),
        }

    def _experts(self) -> dict[str, Any]:
        """What there is to say of a mixture of experts: shares of the choices, layer by layer."""
        if self.batch.expert_loads is None:
            return {}
        shares = [[round(share, 4) for share in layer] for layer in self.batch.expert_loads]
        balance = {} if self.batch.balance_loss is None else {"balance_loss": self.batch.balance_loss}
        return {**balance, "expert_loads": shares}


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

    def began(self, run: Path, step: int) -> None:
        """There is a run folder, and the step from which it is trained: 0, or that of what is resumed."""

    def planned(self, step: int, total_steps: int) -> None: ...

    def stepped(self, report: StepReport) -> None: ...

    def evaluated(self, report: EvalReport) -> None: ...

    def sampled(self, step: int, text: str) -> None: ...

    def saved(self, path: Path) -> None: ...

    def note(self, message: str) -> None: ...

    def finished(self, outcome: Outcome) -> None: ...
