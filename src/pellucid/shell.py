"""Text as it can be typed into a shell."""

from __future__ import annotations

import shlex
import sys


def quoted(path: object) -> str:
    """A path as it can be typed into a shell."""
    text = str(path)
    if sys.platform == "win32":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
