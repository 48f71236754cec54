"""Values as JSON that every client reads, whatever a damaged file holds."""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> Any:
    """`value` with null for numbers that are not finite, and without lone surrogates in its texts."""
    if isinstance(value, dict):
        return {plain(str(name)): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
