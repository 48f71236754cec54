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


def install_extra(name: str) -> str:
    """How an extra of pyproject.toml is installed, as the README does it: never by the name alone, which an index might
    know as another package."""
    return f'pip install -e ".[{name}]" in the folder of Pellucid (README, "Your own text")'
