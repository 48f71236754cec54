"""Numbers as a person says them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MOST_NAMED = 5  # characters


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`; `many` where an s does not make it."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def size(n_bytes: float, total: float | None = None) -> str:
    """`12.3 MB`, or with a total `12.3 of 22.5 MB`; kilobytes and gigabytes where they fit better."""
    scale, unit, digits = next(
        row
        for row in ((1e9, "GB", 2), (1e6, "MB", 1), (1e3, "kB", 0), (1, "bytes", 0))
        if (total or n_bytes) >= row[0] or row[0] == 1
    )
    amount = f"{n_bytes / scale:.{digits}f}"
    return f"{amount} of {total / scale:.{digits}f} {unit}" if total else f"{amount} {unit}"


def named_characters(characters: Iterable[str]) -> str:
    """`'é', '→', U+200B`: up to five, each as it looks or, where it cannot be seen alone, by its code point."""
    names = [_character(each) for each in dict.fromkeys(characters)]
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {plural(rest, 'other')}" if rest > 0 else "")


def _character(character: str) -> str:
    seen_alone = character.isprintable() and unicodedata.category(character)[0] not in "MZ"
    return f"'{character}'" if seen_alone else f"U+{ord(character):04X}"


def only_the_last(n: int) -> str:
    """The subject and verb of what a text says of its last `n` parts: "only the last 3 are", "only the last is"."""
    return "only the last is" if n == 1 else f"only the last {n:,} are"
