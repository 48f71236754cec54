"""A run that is about to be exported: its weights, its tokenizer, and what it says of itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.run_weights import Weights, weights_of
from pellucid.text.template import Template
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.run_folder import RunFolder, find_run


@dataclasses.dataclass(frozen=True)
class Exportable:
    """What every format is made of.

    Args:
        stored: the run's config.json.
        weights: read one at a time; adapters are merged.
        template: how conversations are written for it, if it was trained on any.
        step: whose weights they are, "best" or a number.
    """

    run: RunFolder
    stored: dict[str, Any]
    weights: Weights
    tokenizer: Tokenizer
    template: Template | None
    step: int | str = "best"

    @property
    def licence(self) -> str | None:
        """Of the published model that it came from, as that says it; None where nothing is said."""
        origin = self.stored.get("imported") or (self.stored.get("base") or {}).get("imported") or {}
        licence = origin.get("licence")
        return licence if isinstance(licence, str) and licence else None


@dataclasses.dataclass(frozen=True)
class Written:
    """What was made of it: the architecture, as the format calls it, and what was changed on the way, in words."""

    family: str
    notes: list[str]


def open_run(run: RunFolder | str | Path | None = None, step: int | str = "best") -> Exportable:
    """The run at a path or of a name under `runs/`; with no name, the latest.

    Raises:
        InputError: there is no such run or step, it is damaged, has no weights yet, or is a model of its own code.
    """
    folder = find_run(run)
    stored = folder.config()
    if stored["model"].get("architecture") == "own":
        raise InputError(
            f"{folder.name} is a model of its own code, which no other program knows: copy the run folder instead"
        )
    tokenizer = folder.tokenizer()
    template = Template(stored["template"], tokenizer) if stored.get("template") else None
    return Exportable(folder, stored, weights_of(folder, step), tokenizer, template, step)
