"""What the commands say of a run that was trained on tales: how far it is above the floor, which rules it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid.cli import console

if TYPE_CHECKING:
    from pellucid.inspection.floor import AboveFloor
    from pellucid.text.tales.rules import Kept
    from pellucid.training.run_folder import RunFolder


def tell_floor(
    folder: RunFolder,
    show: Callable[[str], object],
    device: str = "auto",
    keep: bool = False,
    seconds: float = math.inf,
) -> dict[str, Any] | None:
    """Measure it, `show` it a line at a time, and return it as JSON; None, in silence, for a run of any other text.

    Args:
        keep: leave it in the run's folder, too.
        seconds: as of `measure_floor`.
    """
    from pellucid.inspection.floor import is_trained_on_tales, keep_floor, measure_floor

    if not is_trained_on_tales(folder):
        return None
    from pellucid.api import load

    console.say("Measuring how far the model is above the floor, and what it keeps to in its own stories…")
    run = load(folder.path, device)
    found = measure_floor(run, seconds=seconds)
    lines = floor_lines(found)
    for line in lines:
        show(line)
    if keep:
        keep_floor(run, found, lines)
    return found.to_dict()


def floor_lines(found: AboveFloor) -> list[str]:
    """What a person reads of it."""
    lines = [
        f"floor          {found.floor:.4f} bits a character: the grammar itself, which no model can beat",
        f"above it       {found.gap:.4f} ± {found.error:.4f} bits a character, {found.gap_per_token:.4f} a token, "
        f"on {found.n_stories} whole stories written for this alone",
    ]
    if found.n_longer:
        lines.append(
            f"               ({found.n_longer} of them are longer than its context: it cannot know all that they said)"
        )
    if found.gap < -3 * found.error:
        lines.append("Nothing can be below the floor: this model sees what it is to predict.")
    if found.n_samples:
        lines.append(f"own stories    {found.n_whole} of {found.n_samples} are tales to the last character")
    lines += [f"  {rule.rule:<12} {_rule_text(rule)}" for rule in found.rules if rule.total]
    return lines


def _rule_text(rule: Kept) -> str:
    """`98 of 100 (up to 16 characters apart 50 of 50, up to 64 48 of 50)`."""
    ranges, lower = list[str](), 0
    for upper, right, total in rule.by_distance:
        where = f"up to {upper}" if upper else f"beyond {lower}"
        lower = upper or lower
        if total:
            ranges.append(f"{where}: {right} of {total}")
    return f"{rule.right} of {rule.total} right (characters apart {', '.join(ranges)})"
