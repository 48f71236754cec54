"""What is compared: contenders, sets of them, and what a set measures besides the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.inspection.compare.trial import Trained

Counted = Literal["", "uniform", "unigram", "bigram"]
Figures = Mapping[str, Sequence[dict[str, Any]]]
"""By contender, what was measured of its models, one of each seed; a model that diverged is left out."""

TEXT = "shakespeare"
SEEDS = 3
STEPS = 600

# A small model of today, which learns in about ten seconds what parts can be told apart by.
BASE: dict[str, Any] = {
    "tokenizer": "char",
    "context_length": 64,
    "n_layers": 4,
    "n_heads": 4,
    "d_model": 64,
    "positions": "rotary",
    "norm": "rmsnorm",
    "activation": "swiglu",
    "batch_size": 16,
    "optimizer": "adamw",
    "lr": 3e-3,
    "schedule": "wsd",
    "warmup_steps": 50,
}


@dataclasses.dataclass(frozen=True)
class Contender:
    """One of those compared.

    Attributes:
        name: as it is typed and shown.
        says: a sentence of what it shows.
        settings: of text, model and recipe, laid over what its set has in common.
        against: the contender it is held against; "" is the one before it on a ladder, else the first of the set.
        counted: a baseline that is counted, not trained.
        preset: "auto", where the rest is to be chosen from text, budget and machine.
        documents: the documents of the text that it reads, by number; none is all.
        times: how often it reads its text, which is cut so short; 0 is the whole text, however often that is.
    """

    name: str
    says: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    against: str = ""
    counted: Counted = ""
    preset: str = ""
    documents: tuple[int, ...] = ()
    times: int = 0


@dataclasses.dataclass(frozen=True)
class Table:
    """A table besides the main one, all cells as text; the first column names the contender."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Extra:
    """What a set measures besides the loss.

    Attributes:
        measure: figures of one trained model, as JSON.
        table: what is shown of all of them.
        draw: puts them on a panel of the plot.
        evaluations: whether the model is scored ten times on its way.
    """

    measure: Callable[[Trained], dict[str, Any]]
    table: Callable[[Figures], Table]
    draw: Callable[[Axes, Figures], None] | None = None
    evaluations: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A set of contenders.

    Attributes:
        about: a sentence for a person who chooses among sets.
        common: settings that all have where they do not say otherwise.
        text: what they read where no text is given.
        ladder: whether each is held against the one before, not against the first.
    """

    name: str
    about: str
    contenders: tuple[Contender, ...]
    common: dict[str, Any] = dataclasses.field(default_factory=lambda: dict(BASE))
    text: str = TEXT
    steps: int = STEPS
    seeds: int = SEEDS
    ladder: bool = False
    extra: Extra | None = None

    def rival(self, contender: Contender) -> Contender | None:
        """Whom a contender is held against; None for the first."""
        if contender.against:
            return next(each for each in self.contenders if each.name == contender.against)
        place = self.contenders.index(contender)
        return self.contenders[place - 1 if self.ladder else 0] if place else None
