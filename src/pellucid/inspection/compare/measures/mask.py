"""Training without the causal mask: what the model seems to have learned, and what is left of it when it writes."""

from __future__ import annotations

from typing import Any

from pellucid.inspection.compare.contender import Extra, Figures, Table
from pellucid.inspection.compare.measures.figures import mean
from pellucid.inspection.compare.trial import Trained

TITLE = "Nats a token: as it was trained, and left to right, as it must write"


def _measure(trained: Trained) -> dict[str, Any]:
    as_trained = trained.losses(trained.trial.data.validation)
    return {
        "training_loss": trained.training_loss,
        "as_trained": as_trained.loss,
        "left_to_right": trained.score.loss,
    }


def _table(figures: Figures) -> Table:
    header = ("contender", "training text, own mask", "validation, own mask", "validation, left to right")
    rows = tuple(
        (name, *(f"{mean(own, each):.4f}" for each in ("training_loss", "as_trained", "left_to_right")))
        for name, own in figures.items()
    )
    return Table(TITLE, header, rows)


MASK = Extra(_measure, _table)
