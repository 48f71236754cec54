"""What a person typed becomes a comparison: a ready-made set, or any contenders of their own."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid import presets
from pellucid.errors import InputError
from pellucid.inspection.compare.contender import BASE, Comparison, Contender
from pellucid.inspection.compare.ladder import COMMON, ladder
from pellucid.presets import Recipe
from pellucid.training.class_file import names_a_class
from pellucid.training.config import BUDGETS
from pellucid.training.settings import MODEL_SETTINGS, OF_OWN_CODE, TEXT_SETTINGS, TRAIN_SETTINGS

# What a model of a person's own has in common with the others: all but the transformer's shape.
OWN_MODEL = {name: value for name, value in BASE.items() if name in OF_OWN_CODE or name not in MODEL_SETTINGS}
OWN = "own"  # the name of comparisons of contenders that were typed
COMPARISONS = Path("comparisons")
MOST_SEEDS = 100
NOT_COMPARED = ("seed", "sample_prompt", "sample_tokens", "sample_temperature", "eval_every", "eval_tokens",
                "checkpoint_every", "patience", "dev_fraction", "shard")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for; it is kept in the comparison's folder, and taken up again on resuming.

    Attributes:
        names: contenders; none is the ladder, one a ready-made set.
        text: sources; none is the set's own.
        steps, minutes: the budget of each training; both 0 is the set's own number of steps.
        seeds: trainings of each contender; 0 is the set's own.
        flags: settings that all have.
    """

    names: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    steps: int = 0
    minutes: float = 0.0
    seeds: int = 0
    flags: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps and self.minutes:
            raise InputError("all contenders have one budget: give --steps or --minutes, not both")
        if self.steps < 0 or not 0 <= self.minutes < 1e6:
            raise InputError("--steps and --minutes must be above 0")
        if not 0 <= self.seeds <= MOST_SEEDS:
            raise InputError(f"--seeds is a whole number from 1 to {MOST_SEEDS}, not {self.seeds}")

    def budget(self, comparison: Comparison) -> dict[str, Any]:
        """What each training may use."""
        return {"minutes": self.minutes} if self.minutes else {"steps": self.steps or comparison.steps}


def comparisons() -> dict[str, Comparison]:
    """Every ready-made set, by name."""
    from pellucid.inspection.compare.sets import SETS

    return {each.name: each for each in (ladder(), *SETS)}


def find(asked: Asked) -> Comparison:
    """The comparison that is meant, with the flags laid over what its contenders have in common.

    Raises:
        InputError: there is no such set or contender, or a flag is what the set compares.
    """
    ready = comparisons()
    names = asked.names or ("ladder",)
    if len(names) == 1:
        if names[0] not in ready:
            raise InputError(_no_set(names[0], ready))
        return _with_flags(ready[names[0]], asked.flags)
    if whole := [name for name in names if name in ready]:
        raise InputError(f"{whole[0]} is a whole set of contenders: name it alone, or contenders of your own")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{twice} is named twice: a contender needs no comparison with itself")
    contenders = tuple(_contender(name, asked.flags) for name in names)
    about = "Contenders of your own: all with one budget, each held against the first."
    return Comparison(OWN, about, contenders, {})


def _no_set(name: str, ready: dict[str, Comparison]) -> str:
    near = difflib.get_close_matches(name, ready, 1)
    if near:
        return f"there is no set {name!r}: did you mean {near[0]!r}? `pellucid compare --list` tells them all"
    return (
        f"one name is a ready-made set, and {name!r} is none: choose {', '.join(ready)}; "
        "or name two contenders or more"
    )


def _with_flags(comparison: Comparison, flags: dict[str, Any]) -> Comparison:
    trained = [each for each in comparison.contenders if not each.counted]
    for name in flags:
        if all(name in each.settings or "architecture" in each.settings for each in trained):
            raise InputError(
                f"the set {comparison.name} decides {name} itself: leave out --{name.replace('_', '-')}"
            )
    return dataclasses.replace(comparison, common=_laid_over(comparison.common, flags))


def _laid_over(settings: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Settings with others in their place; the size of a vocabulary goes with its tokenizer."""
    kept = {
        name: value for name, value in settings.items() if name != "vocab_size" or "tokenizer" not in more
    }
    return {**kept, **more}


# ---------------------------------------------------------------------- contenders that are typed


def _contender(name: str, flags: dict[str, Any]) -> Contender:
    """`mini`, `rotary`, `small.toml`, `n_heads=8,d_model=128`; or one of the first three, a comma, and settings.

    `my_model.py:LSTM,hidden=64` is a model of a person's own, with settings of its own.
    """
    if names_a_class(name):
        return Contender(name, "", _laid_over({**OWN_MODEL, "model": name}, flags))
    base, *rest = name.split(",")
    own = [each for each in (base, *rest) if "=" in each]
    found = Contender(name, "", dict(BASE)) if "=" in base else _named(base)
    if len(own) + ("=" not in base) != 1 + len(rest):
        raise InputError(f"{name} cannot be read: write settings as n_heads=8,d_model=128, without spaces")
    if found.counted and own:
        raise InputError(f"{base} is counted, and has no settings: leave out {','.join(own)}")
    settings = _laid_over(_laid_over(found.settings, flags), dict(map(_setting, own)))
    return dataclasses.replace(found, name=name, settings=settings, against="")


def _named(name: str) -> Contender:
    rungs = {each.name: each for each in ladder().contenders}
    if name in rungs:
        rung = rungs[name]
        return dataclasses.replace(rung, settings={**COMMON, **rung.settings})
    if name == "auto":
        return Contender(name, "", preset="auto")
    if name in presets.names():
        return _of_recipe(name, presets.load(name))
    if name.endswith(".toml"):
        return _of_recipe(name, presets.load_file(name))
    known = [*rungs, *presets.names()]
    near = difflib.get_close_matches(name, known, 1)
    raise InputError(
        f"{name!r} is no contender"
        + (f": did you mean {near[0]!r}?" if near else ":")
        + f" Name presets ({', '.join(presets.names())}), rungs of the ladder ({', '.join(rungs)}), TOML recipes, "
        "or settings such as n_heads=8,d_model=128"
    )


def _of_recipe(name: str, recipe: Recipe) -> Contender:
    """A recipe's settings, but for its budget and what is not compared."""
    settings = {**recipe.text, **recipe.model, **recipe.training}
    for each in settings:
        _check_name(each, name)
    kept = {key: value for key, value in settings.items() if key not in (*BUDGETS, *NOT_COMPARED)}
    return Contender(name, recipe.about, kept)


def _setting(text: str) -> tuple[str, Any]:
    """`n_heads=8` as a name and a value."""
    name, _, value = text.partition("=")
    name = name.strip().replace("-", "_")
    _check_name(name, text)
    if name in (*BUDGETS, *NOT_COMPARED):
        raise InputError(f"{name} is the same for all contenders: leave it out of {text}")
    return name, _value(value.strip())


def _check_name(name: str, where: str) -> None:
    known = (*TEXT_SETTINGS, *MODEL_SETTINGS, *TRAIN_SETTINGS)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise InputError(f"there is no setting {name!r} (in {where}){hint}")


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def own_name(names: Sequence[str]) -> str:
    """What the folder of a comparison is called before its number."""
    return names[0] if len(names) == 1 else OWN if names else "ladder"
