"""Text as it can be typed into a shell."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path


def quoted(path: object) -> str:
    """A path as it can be typed into a shell."""
    text = str(path)
    if sys.platform == "win32":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)


def install_extra(name: str) -> str:
    """How an extra of pyproject.toml is installed: where the source is, as the README does it; elsewhere the packages
    that it stands for. Never by Pellucid's name, which an index might know as another package."""
    from importlib.metadata import requires  # too slow for those who ask for help

    if not (Path(__file__).parents[2] / "pyproject.toml").is_file():
        asked = (each.partition(";") for each in requires("pellucid") or ())
        packages = [need.strip() for need, _, when in asked if re.search(rf"extra == .{name}\b", when)]
        return "pip install " + " ".join(f'"{package}"' for package in packages)
    return f'pip install -e ".[{name}]" in the folder of Pellucid (README, "Your own text")'
