"""How often a text is read: what is lost on it, and on text held out, on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.inspection.compare.contender import Extra, Figures, Table
from pellucid.inspection.compare.measures.figures import mean, mean_curve
from pellucid.inspection.compare.trial import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _measure(trained: Trained) -> dict[str, Any]:
    ways, n_tokens = trained.evaluations, trained.trainer.windows.n_tokens
    return {
        "characters": n_tokens,
        "times": [each["tokens"] / n_tokens for each in ways],
        "dev": [each["dev"] for each in ways],
        "train": [each["train"] for each in ways],
        "validation": trained.score.loss,
        "training_loss": trained.training_loss,
    }


def _table(figures: Figures) -> Table:
    rows = []
    for name, own in figures.items():
        dev, times = mean_curve(own, "dev"), mean_curve(own, "times")
        best = min(range(len(dev)), key=lambda place: dev[place])
        loss, held = mean(own, "training_loss"), mean(own, "validation")
        read = f"{own[0]['characters']:,}"
        rows.append((name, read, f"{loss:.4f}", f"{held:.4f}", f"{held - loss:.4f}", f"{times[best]:.1f}"))
    header = ("contender", "tokens there are", "its own text", "held out", "apart", "best after times")
    return Table("Nats a token of its own text and of text held out", header, tuple(rows))


def _draw(axes: Axes, figures: Figures) -> None:
    from pellucid.inspection.compare.plot import LINES, plain

    for (name, own), colour in zip(figures.items(), LINES, strict=False):
        times = mean_curve(own, "times")[1:]  # the first is before the first step
        axes.plot(times, mean_curve(own, "dev")[1:], marker="o", markersize=3, color=colour, label=name)
        axes.plot(times, mean_curve(own, "train")[1:], ":", color=colour)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("times the text was read", fontsize=9)
    axes.set_title("nats a token, held out (lines) and own text (dots)", fontsize=9.5, loc="left")
    axes.legend(frameon=False, fontsize=8)
    plain(axes)


EPOCHS = Extra(_measure, _table, _draw, evaluations=True)
