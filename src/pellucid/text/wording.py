"""Words that fit their number."""

from __future__ import annotations


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`; `many` where an s does not make it."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
