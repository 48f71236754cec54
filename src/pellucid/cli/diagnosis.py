"""A diagnosis in the terminal: a table, worst first, and what it all points to."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from pellucid.cli.console import printable

if TYPE_CHECKING:
    from pellucid.inspection.doctor import Diagnosis, Finding

MARKS = {"wrong": "WRONG", "ok": "ok", "not applicable": "–"}
INDENT = 7
NARROWEST, WIDEST = 60, 110


def table(diagnosis: Diagnosis) -> str:
    """What was checked, measured and expected; a remedy where something is wrong; the conclusion last."""
    width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((WIDEST, 24)).columns))
    lines = [line for found in diagnosis.findings for line in _lines(found, width)]
    return "\n".join([*lines, "", *textwrap.wrap(printable(diagnosis.conclusion), width)])


def _lines(found: Finding, width: int) -> list[str]:
    lines = [f"{MARKS[found.verdict]:<{INDENT}}{found.check}"]
    told = {"measured": found.measured, "expected": found.expected, "remedy": found.remedy}
    for name, text in told.items():
        if text:
            lines += textwrap.wrap(
                f"{name}  {printable(text)}",
                width,
                initial_indent=" " * INDENT,
                subsequent_indent=" " * (INDENT + len(name) + 2),
            )
    return lines
