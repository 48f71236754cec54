"""How large the gradient of the loss is in each block, before the first step and after the last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from pellucid.inspection.compare.contender import Extra, Figures, Table
from pellucid.inspection.compare.measures.figures import mean_curve
from pellucid.inspection.compare.trial import Trained
from pellucid.model.transformer import LanguageModel, Transformer
from pellucid.training.gradients import clear_gradients, fill_gradients
from pellucid.training.plan import build

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.inspection.compare.trial import Unsaved


def gradient_norms(model: LanguageModel, trainer: Unsaved) -> list[float]:
    """The norm of the gradient of each block's weights, for the first batch of the training; leaves none."""
    assert isinstance(model, Transformer)
    fill_gradients(model, trainer.windows, 0, trainer.config, trainer.machine)
    norms = [_norm(block.parameters()) for block in model.blocks]
    clear_gradients(model)
    return norms


def _norm(weights: Iterable[torch.nn.Parameter]) -> float:
    squares = [weight.grad.double().square().sum() for weight in weights if weight.grad is not None]
    return float(torch.stack(squares).sum().sqrt())


def _measure(trained: Trained) -> dict[str, Any]:
    trainer = trained.trainer
    fresh = build(trainer.model.config, trainer.config, trainer.machine)
    return {"before": gradient_norms(fresh, trainer), "after": gradient_norms(trainer.model, trainer)}


def _table(figures: Figures) -> Table:
    header = ("contender", "before: first block", "last block", "after: first block", "last block")
    rows = []
    for name, own in figures.items():
        curves = [mean_curve(own, when) for when in ("before", "after")]
        rows.append((name, *(f"{curve[place]:.2e}" for curve in curves for place in (0, -1))))
    return Table(
        "Norm of the gradient in a block, before the first step and after the last", header, tuple(rows)
    )


def _draw(axes: Axes, figures: Figures) -> None:
    from pellucid.inspection.compare.plot import LINES, plain

    for (name, own), colour in zip(figures.items(), LINES, strict=False):
        for when, style in (("before", ":"), ("after", "-")):
            norms = mean_curve(own, when)
            label = name if when == "after" else f"{name}, before the first step"
            axes.plot(
                range(1, len(norms) + 1), norms, style, marker="o", markersize=3, color=colour, label=label
            )
    axes.set_yscale("log")
    axes.set_xlabel("block, from the first", fontsize=9)
    axes.set_title("norm of the gradient in a block", fontsize=9.5, loc="left")
    axes.legend(frameon=False, fontsize=8)
    plain(axes)


GRADIENTS = Extra(_measure, _table, _draw)
