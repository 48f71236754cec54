"""The loss by a token's place in the window, within the length that was trained and beyond it.

Shapes: W windows, T places.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import torch

from pellucid.inspection.compare.contender import Extra, Figures, Table
from pellucid.inspection.compare.measures.figures import mean_curve
from pellucid.inspection.compare.trial import Trained
from pellucid.model.config import IGNORE
from pellucid.model.transformer import next_token_loss
from pellucid.training.machine import autocast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOWS = 128
AT_ONCE = 8  # windows
BIN = 8  # places that are one point of the curve


def losses_by_place(trained: Trained, length: int) -> list[float]:
    """Nats a token at each of `length` places, the mean over windows of the validation text."""
    data, machine = trained.trial.data, trained.machine
    inputs, targets = data.evaluator(length).windows(data.validation[: WINDOWS * length + 1])
    total, count = torch.zeros(length), torch.zeros(length)
    with torch.inference_mode(), autocast(machine.device, machine.precision):
        for start in range(0, len(inputs), AT_ONCE):
            x, y = (
                torch.from_numpy(each[start : start + AT_ONCE]).to(machine.device)
                for each in (inputs, targets)
            )
            total += next_token_loss(trained.model(x), y, reduction="none").sum(dim=0).cpu()
            count += (y != IGNORE).sum(dim=0).cpu()
    return (total / count.clamp(min=1)).tolist()


def _measure(trained: Trained) -> dict[str, Any]:
    trained.model.eval()
    return {
        "trained": trained.trial.window,
        "losses": losses_by_place(trained, trained.trial.model.context_length),
    }


def _table(figures: Figures) -> Table:
    trained, places = _lengths(figures)
    spans = [(0, trained)] + [(start, min(2 * start, places)) for start in _doublings(trained, places)]
    rows = []
    for name, own in figures.items():
        curve = mean_curve(own, "losses")
        rows.append((name, *(f"{statistics.fmean(curve[start:end]):.4f}" for start, end in spans)))
    header = ("contender", *(f"places {start + 1}–{end}" for start, end in spans))
    return Table(f"Nats a token by place in the window; {trained} places were trained", header, tuple(rows))


def _lengths(figures: Figures) -> tuple[int, int]:
    first = next(iter(figures.values()), [{"trained": 1, "losses": [0.0]}])[0]
    return first["trained"], len(first["losses"])


def _doublings(start: int, end: int) -> list[int]:
    found = []
    while start < end:
        found.append(start)
        start *= 2
    return found


def _draw(axes: Axes, figures: Figures) -> None:
    from pellucid.inspection.compare.plot import LINES, plain

    trained, places = _lengths(figures)
    size = min(BIN, max(1, places // BIN))
    for (name, own), colour in zip(figures.items(), LINES, strict=False):
        curve = mean_curve(own, "losses")
        starts = range(0, places - size + 1, size)
        points = [statistics.fmean(curve[start : start + size]) for start in starts]
        axes.plot([start + size / 2 for start in starts], points, color=colour, label=name)
    axes.axvline(trained, color="#718096", linestyle=":", label=f"trained length {trained}")
    axes.set_xlabel("place in the window", fontsize=9)
    axes.set_title("nats a token by place", fontsize=9.5, loc="left")
    axes.legend(frameon=False, fontsize=8)
    plain(axes)


LENGTH = Extra(_measure, _table, _draw)
