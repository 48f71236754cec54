"""What a comparison leaves to read: its table, its plot and its samples; the same table for the terminal."""

from __future__ import annotations

import statistics
from typing import Any

from pellucid.inspection.compare.contender import Table
from pellucid.inspection.compare.folder import Folder
from pellucid.inspection.compare.plot import write_plot
from pellucid.inspection.compare.summary import Row, Summary
from pellucid.inspection.compare.verdict import LEVEL
from pellucid.text.wording import plural
from pellucid.training.files import write_atomically

HEADER = ("contender", "nats a token", "bits a byte", "difference", "verdict", "parameters", "tokens/s")
ALIGNED = "lrrrlrr"  # of each column, to the left or to the right
SAMPLE_CHARACTERS = 300
SAMPLE_IN_TERMINAL = 120


def cells(summary: Summary) -> list[tuple[str, ...]]:
    """The main table's rows, as text."""
    return [_cells(summary, row) for row in summary.rows]


def _cells(summary: Summary, row: Row) -> tuple[str, ...]:
    change = f"{row.difference.mean:+.4f}{_error(row.difference.error)}" if row.difference else ""
    verdict = row.verdict
    if row.n_diverged:
        verdict = f"{row.n_diverged} of {row.n_trainings} diverged"
    elif _skips(summary, row):
        verdict += f" (against {row.against})"
    parameters = f"{row.parameters:,}"
    if row.active_parameters != row.parameters:
        parameters += f" ({row.active_parameters:,} active)"
    return (
        row.name,
        score_text(row.loss),
        score_text(row.bits_per_byte),
        change.replace("-", "−"),
        verdict,
        parameters,
        f"{row.tokens_per_second:,.0f}" if row.tokens_per_second else "",
    )


def _skips(summary: Summary, row: Row) -> bool:
    """Whether a contender is held against another than is usual in its set."""
    place = summary.rows.index(row)
    usual = summary.rows[place - 1 if summary.comparison.ladder else 0].name
    return place > 0 and row.against != usual


def score_text(score: tuple[float, float | None] | None) -> str:
    """`1.8341 ± 0.0021`."""
    return f"{score[0]:.4f}{_error(score[1])}" if score else ""


def _error(error: float | None) -> str:
    return f" ± {error:.4f}" if error else ""


def one_line(name: str, trainings: list[dict[str, Any]]) -> str:
    """What is said of a contender as soon as it is finished."""
    whole = [each["bits_per_byte"] for each in trainings if not each["diverged"]]
    lost = len(trainings) - len(whole)
    diverged = f"{lost} of {len(trainings)} diverged" if lost else ""
    if not whole:
        return f"{name}: {diverged}"
    score = f"{statistics.fmean(whole):.4f} bits a byte"
    spread = f" ({min(whole):.4f} to {max(whole):.4f})" if len(whole) > 1 else ""
    return f"{name}: {score}{spread}" + (f", {diverged}" if diverged else "")


def heading(summary: Summary) -> str:
    """What was compared, and how."""
    budget, size = next(iter(summary.budget.items()))
    each = f"{size:,} steps" if budget == "steps" else f"{size:g} minutes"
    return f"{each} each, {plural(summary.seeds, 'seed')}, on {summary.text}"


def notes(summary: Summary) -> list[str]:
    """How the table is to be read."""
    rival = "the one before it" if summary.comparison.ladder else f"{summary.rows[0].name}, the first"
    lines = [
        f"Scores are of the validation text, whole; ± is the standard error over {plural(summary.seeds, 'seed')}. The "
        f"difference, in bits a byte, is to {rival}, seed by seed. It is called better or worse where Student's t test "
        f"of those differences says so at {LEVEL:.0%}: of twenty comparisons of equals, one by chance.",
    ]
    if any(row.unknown for row in summary.rows):
        lines.append(
            "Some characters are unknown to a vocabulary, and their bits a byte not quite comparable."
        )
    if summary.seeds == 1:
        lines.append("One seed cannot tell a difference from noise: give --seeds 3.")
    return lines


def write_report(folder: Folder, summary: Summary) -> None:
    """table.md and comparison.png."""
    text = markdown(summary)
    write_atomically(folder.table_path, lambda path: path.write_text(text, encoding="utf-8"))
    write_plot(folder.plot_path, summary)


def markdown(summary: Summary) -> str:
    """The whole of table.md."""
    lines = [f"# {summary.comparison.name}", "", summary.comparison.about, "", f"{heading(summary)}.", ""]
    lines += [*_table(HEADER, cells(summary), ALIGNED), ""]
    for note in notes(summary):
        lines += [note, ""]
    if summary.extra:
        lines += [f"## {summary.extra.title}", "", *_extra(summary.extra), ""]
    lines += ["![bits a byte](comparison.png)", "", "## What they are", ""]
    lines += [f"- **{row.name}**: {row.says}" if row.says else f"- **{row.name}**" for row in summary.rows]
    lines += ["", "## What they write", ""]
    for row in summary.rows:
        if row.sample:
            shown = row.sample[:SAMPLE_CHARACTERS].strip("\n")
            lines += [f"**{row.name}**", "", *(f"    {line}" for line in shown.split("\n")), ""]
    return "\n".join(lines)


def _extra(table: Table) -> list[str]:
    return _table(table.header, table.rows, "l" + "r" * (len(table.header) - 1))


def _table(header: tuple[str, ...], rows: Any, aligned: str) -> list[str]:
    marks = ["---:" if side == "r" else "---" for side in aligned]
    every = [header, marks, *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in every]
