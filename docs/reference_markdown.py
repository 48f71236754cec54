"""Markdown for the pages of the reference: pages, tables, and sentences from the code as they can stand in a cell."""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap
from typing import Any

MADE = "*This page is made from the code by `make reference`; change it there.*"
WIDTH = 120


def page(title: str, about: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", filled(about), MADE, *parts]) + "\n"


def filled(text: str) -> str:
    """A paragraph in lines; none is cut within a word or a flag."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; columns that are empty in every row are left out."""
    kept = [place for place, _ in enumerate(heads) if any(row[place] for row in rows)]
    lines = [
        [heads[place] for place in kept],
        ["---"] * len(kept),
        *([row[place] for place in kept] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(text: str) -> str:
    """A sentence from the code as it can stand in a cell: on one line, nothing of it taken for Markdown or HTML."""
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()))
    kept = [p if p.startswith("`") else p.replace("<", "\\<").replace("*", "\\*") for p in pieces]
    return "".join(kept).replace("|", "\\|")


def code(text: object) -> str:
    return f"`{text}`".replace("|", "\\|")


def value(given: Any) -> str:
    """A default as it is written in a recipe; nothing where there is none."""
    if given is None or given == () or given is dataclasses.MISSING:
        return ""
    if isinstance(given, bool):
        return code(str(given).lower())
    return code(f"{given:g}" if isinstance(given, float) else json.dumps(given, ensure_ascii=False))
