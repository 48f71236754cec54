"""A whole audit: what `pellucid audit` and `pellucid.audit` do."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pellucid
from pellucid.api import load
from pellucid.errors import InputError
from pellucid.inspection.audit.canaries import measure_canaries
from pellucid.inspection.audit.extraction import measure_extraction
from pellucid.inspection.audit.gap import measure_gap
from pellucid.inspection.audit.material import Material, Progress, Sources, find_material
from pellucid.inspection.audit.report import Audit, record, write_report
from pellucid.inspection.audit.verbatim import measure_verbatim
from pellucid.training.run_folder import RunFolder

PARTS = ("canaries", "extraction", "verbatim", "gap")
CHEAPEST_FIRST = ("gap", "extraction", "verbatim", "canaries")
MINUTES = 5.0


def audit(
    run: RunFolder | str | Path | None = None,
    *,
    only: Collection[str] = (),
    text: Sources | None = None,
    minutes: float = MINUTES,
    seed: int = 0,
    device: str = "auto",
    note: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Measure what a run has memorised of its training text; leaves audit.json and AUDIT.md in its folder.

    Args:
        run: its path or name; None is the latest. Its weights are left as they are.
        only: some of "canaries", "extraction", "verbatim" and "gap"; none is all of them.
        text: the run's text, if that is no longer where it was; of an imported model, a text it may have read.
        minutes: how long a copy with canaries is trained at most.
        seed: of the canaries, the prefixes and what is written.
        note: hears sentences for a person.
        progress: hears how many of something are done.

    Raises:
        InputError: there is no such run or part, its text is not there, or none of the parts can be done.
    """
    note, progress = note or (lambda _: None), progress or (lambda *_: None)
    parts = _wanted(only)
    if not 0 < minutes <= 1e6:
        raise InputError(f"--minutes must be above 0, not {minutes:g}")
    if not 0 <= seed < 1 << 32:
        raise InputError(f"--seed is a whole number from 0 to {(1 << 32) - 1}, not {seed}")
    loaded = load(run, device)
    material = find_material(loaded, text, note)
    began = time.monotonic()
    measures: dict[str, Callable[[], Any]] = {
        "canaries": lambda: measure_canaries(material, minutes, seed, device, note, progress),
        "extraction": lambda: measure_extraction(material, seed, progress),
        "verbatim": lambda: measure_verbatim(material, seed, progress),
        "gap": lambda: measure_gap(material),
    }
    found, refused = _measure(measures, parts)
    done = Audit(
        run=loaded.folder,
        pellucid=pellucid.__version__,
        step=loaded.step,
        text=_name(material),
        own_text=material.is_own,
        seconds=time.monotonic() - began,
        refused=refused,
        **found,
    )
    write_report(done, record(done))
    return done


def _wanted(only: Collection[str]) -> list[str]:
    if wrong := next((part for part in only if part not in PARTS), None):
        raise InputError(f"there is no part {wrong!r} of an audit: choose {', '.join(PARTS)}")
    return [part for part in CHEAPEST_FIRST if part in only or not only]


def _measure(
    measures: dict[str, Callable[[], Any]], parts: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What each part found, or why it was refused."""
    found, refused = dict[str, Any](), dict[str, str]()
    for part in parts:
        try:
            found[part] = measures[part]()
        except InputError as error:
            refused[part] = str(error)
    if not found:
        reasons = "; ".join(dict.fromkeys(f"{part}: {why}" for part, why in refused.items()))
        raise InputError(f"nothing could be audited ({reasons})")
    return found, refused


def _name(material: Material) -> str:
    return str(material.data.record.get("name", ""))
