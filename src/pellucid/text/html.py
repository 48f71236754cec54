"""A small table for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping


def table(title: str, rows: Mapping[str, str]) -> str:
    """HTML of a heading and of names with values; what is in them is text, never markup."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<div><strong>{html.escape(title)}</strong><table>{cells}</table></div>"
