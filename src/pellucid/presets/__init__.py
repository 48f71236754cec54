"""Recipes, one TOML file each: `[model]` and `[training]` settings, and how the text becomes tokens in `[text]`."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.text.files import expand_home


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings to lay over the defaults; unknown names are refused by the configurations they go into."""

    about: str
    text: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]


def names() -> list[str]:
    """The presets there are; "auto" is not a file but a choice made from text, budget and machine."""
    folder = resources.files("pellucid.presets")
    return ["auto", *sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".toml"))]


def load(preset: str) -> Recipe:
    """Raises: InputError when there is no such preset."""
    if preset not in names():
        raise InputError(f"preset {preset!r} is unknown: choose one of {', '.join(names())}")
    if preset == "auto":
        return Recipe("chosen from the text, the budget and the machine", {}, {}, {})
    return _parse(
        resources.files("pellucid.presets").joinpath(f"{preset}.toml").read_text(encoding="utf-8"), preset
    )


def load_file(path: str | Path) -> Recipe:
    """A recipe of one's own, for `--config`. Raises: InputError when it cannot be read."""
    try:
        return _parse(expand_home(Path(path)).read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): --config names a TOML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file: --config names a TOML file") from None


def _parse(text: str, name: str) -> Recipe:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not valid TOML: {error}") from None
    sections = {"text", "model", "training"}
    if unknown := sorted(set(values) - sections - {"about"}):
        raise InputError(
            f"{name} has unknown parts {', '.join(unknown)}: it may hold about, [text], [model], [training]"
        )
    parts = [values.get(part, {}) for part in ("text", "model", "training")]
    if not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{name} is not a recipe: write settings under [text], [model] and [training]")
    return Recipe(str(values.get("about", "")), *parts)
