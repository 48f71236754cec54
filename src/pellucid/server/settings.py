"""Settings that the page sends, as flags of a command: names that are known, values that are harmless."""

from __future__ import annotations

from typing import Any

from pellucid.errors import InputError
from pellucid.model.config import SWITCHES
from pellucid.text.tokenizers.tokenizer import KINDS
from pellucid.training.config import BUDGETS
from pellucid.training.settings import MODEL_SETTINGS, TRAIN_SETTINGS, request

LONGEST_VALUE = 2000  # characters; a prompt may be as long
WITHOUT_FLAG = {  # settings for recipe files alone
    *(
        "norm_eps",
        "architecture",
        "model",  # would be executed
        "beta1",
        "beta2",
        "eval_tokens",
        "sample_tokens",
        "sample_temperature",
        "window",
    ),
}
NAMES = {"preset", "tokenizer", "vocab_size", *MODEL_SETTINGS, *TRAIN_SETTINGS} - WITHOUT_FLAG
RECIPE = (
    *("epochs", "minutes", "steps", "batch_size", "accumulate", "lr", "dropout"),
    *("eval_every", "checkpoint_every", "device", "precision", "seed"),
)
TEXTS = {
    *(
        "preset",
        "tokenizer",
        "positions",
        "norm",
        "norm_position",
        "residual",
        "mask",
        "scale",
        "feedforward",
    ),
    *(
        "activation",
        "shared_expert",
        "balance",
        "optimizer",
        "schedule",
        "device",
        "precision",
        "compile",
        "shard",
        "sample_prompt",
    ),
}


def recipe_flags(settings: dict[str, Any]) -> list[str]:
    """`as_flags` of what a fine-tuning may be told: it keeps the shape and the tokenizer of its base."""
    for name in settings:
        if name not in RECIPE:
            raise InputError(f"a fine-tuning takes no {name[:60]!r} from the page: only {', '.join(RECIPE)}")
    return as_flags(settings)


def as_flags(settings: dict[str, Any]) -> list[str]:
    """`{"minutes": 2}` as `["--minutes=2"]`; what is None was not given.

    Raises:
        InputError: there is no such setting, or a value is not of its kind.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        _check(name, value)
    request(given.get("preset", "auto"), **{name: value for name, value in given.items() if name != "preset"})
    return [flag for name, value in given.items() if (flag := _flag(name, value))]


def only_budgets(settings: dict[str, Any]) -> dict[str, Any]:
    """What may change when a run goes on. Raises: InputError for anything else."""
    for name in settings:
        if name not in (*BUDGETS, "accumulate"):
            raise InputError(f"a run that goes on keeps its {name}: only {', '.join(BUDGETS)} may be given")
    return settings


def _check(name: str, value: Any) -> None:
    if name not in NAMES:
        raise InputError(f"there is no setting {name[:60]!r} that the page can give")
    if name in (*SWITCHES, "plain"):
        kind, wanted = bool, "true or false"
    elif name in TEXTS:
        kind, wanted = str, "a text"
    else:
        kind, wanted = int | float, "a number"
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{name} must be {wanted}, not {str(value)[:60]!r}")
    if isinstance(value, str):
        if len(value) > LONGEST_VALUE or "\0" in value or value != value.encode("utf-8", "replace").decode():
            raise InputError(f"{name} must be a text of at most {LONGEST_VALUE} characters")
        if name == "tokenizer" and value not in ("auto", *KINDS):  # no paths from a page
            raise InputError(f"tokenizer {value[:60]!r} is unknown: choose auto, {', '.join(KINDS)}")


def _flag(name: str, value: Any) -> str:
    word = "prompt" if name == "sample_prompt" else name.replace("_", "-")
    if isinstance(value, bool):
        if name == "plain":
            return "--plain" if value else ""
        return f"--{word}" if value else f"--no-{word}"
    return f"--{word}={value!r}" if isinstance(value, float) else f"--{word}={value}"
