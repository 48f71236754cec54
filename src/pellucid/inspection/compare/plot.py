"""comparison.png: every contender's bits per byte and its standard error, the best enlarged, the set's own figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.inspection.compare.summary import Row, Summary

COLOURS = {"better": "#2f855a", "worse": "#c05621", "diverged": "#9b2c2c"}
PLAIN, FIRST = "#4a5568", "#2b6cb0"
NEAR = 1.2  # times the best score, who is enlarged
WIDE = 2.0  # times, how much further all must reach for that
ROW_INCHES = 0.33
LONGEST_NAME = 30  # characters
LINES = ("#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f", "#285e61", "#97266d", "#4a5568")


def write_plot(path: Path, summary: Summary) -> None:
    """Draw the figure; a comparison of which all diverged has nothing to draw."""
    from matplotlib.figure import Figure  # without pyplot, which takes as long again to load

    rows = [row for row in summary.rows if row.bits_per_byte]
    if not rows:
        return
    near = _near(rows)
    extra = summary.comparison.extra
    draws = extra.draw if extra else None
    panels = 1 + bool(near) + bool(draws)
    height = max(3.2, 1.3 + ROW_INCHES * len(rows))
    figure = Figure(figsize=(5.6 * panels, height), layout="constrained", facecolor="white")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    _scores(axes[0], rows, "bits a byte of the validation text, lower is better")
    if near:
        _scores(axes[1], near, "the best of them, enlarged")
    if draws:
        draws(axes[-1], summary.figures)
    figure.suptitle(f"{summary.comparison.name}: {_how(summary)}", fontsize=11)
    if len(rows) > 1:
        rival = "the one before" if summary.comparison.ladder else f"the first, {_short(rows[0].name)}"
        figure.supxlabel(
            f"bars are standard errors; against {rival}: green better, orange worse, grey cannot be told apart",
            fontsize=8.5,
            color=PLAIN,
        )
    figure.savefig(path, dpi=110)


def _how(summary: Summary) -> str:
    budget, size = next(iter(summary.budget.items()))
    seeds = f"{summary.seeds} seed{'s' if summary.seeds > 1 else ''}"
    return f"{size:g} {budget} each, {seeds}, {summary.text}"


def _near(rows: list[Row]) -> list[Row]:
    """The contenders that stand close together on the first panel, where others are far away."""
    scores = [row.bits_per_byte[0] for row in rows if row.bits_per_byte]
    near = [row for row in rows if row.bits_per_byte and row.bits_per_byte[0] <= NEAR * min(scores)]
    spread = NEAR * min(scores) - min(scores)
    return near if 3 <= len(near) < len(rows) and max(scores) - min(scores) > WIDE * spread else []


def _scores(axes: Axes, rows: list[Row], title: str) -> None:
    """A dot a contender, from the top down, with its standard error and its number."""
    axes.set_title(title, fontsize=9.5, loc="left")
    scores = [row.bits_per_byte[0] for row in rows if row.bits_per_byte]
    room = (max(scores) - min(scores)) or 0.1 * max(scores)
    for place, row in enumerate(rows):
        assert row.bits_per_byte
        mean, error = row.bits_per_byte
        colour = COLOURS.get(row.verdict, PLAIN) if row.against else FIRST
        axes.errorbar(
            mean, place, xerr=error or 0, fmt="o", color=colour, markersize=5, capsize=3, linewidth=1.2
        )
        axes.annotate(
            f"{mean:.3f}",
            (mean + (error or 0), place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
        )
    axes.set_yticks(range(len(rows)), [_short(row.name) for row in rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(min(scores) - 0.08 * room, max(scores) + 0.22 * room)
    plain(axes)


def _short(name: str) -> str:
    """A name that leaves room for the plot: settings that were typed differ at either end, most often."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 :]}"


def plain(axes: Axes) -> None:
    """Grid and frame as all plots of the house have them."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
