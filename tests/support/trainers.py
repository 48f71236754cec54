"""A trainer run to its end, and what it said."""

from __future__ import annotations

import pytest

from pellucid.training.evaluation import Score
from pellucid.training.loop import Trainer
from pellucid.training.observer import EvalReport, Observer


class Notes(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.evaluations: list[EvalReport] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def evaluated(self, report: EvalReport) -> None:
        self.evaluations.append(report)


def run_to_end(trainer: Trainer) -> Notes:
    trainer.observer = Notes()
    trainer.start()
    trainer.train()
    return trainer.observer


def script_dev_losses(monkeypatch: pytest.MonkeyPatch, trainer: Trainer, losses: list[float]) -> None:
    """Let the dev split score as told, one evaluation after another."""
    told = iter(losses)
    monkeypatch.setattr(trainer, "_dev_score", lambda: Score(next(told), 100, 100))
