"""From what a person asked for to a full configuration: defaults, `auto` or preset, recipe file, then their flags."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

from pellucid import presets
from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.training import auto
from pellucid.training.config import BUDGETS, TrainConfig
from pellucid.training.machine import Machine

DEFAULT_MINUTES = 5.0
ANY_VOCABULARY = 256  # stands for a size that is not known yet; no other setting hangs on it
TEXT_SETTINGS = ("tokenizer", "vocab_size")
FOUND_OUT = ("vocab_size", "own")  # fields of ModelConfig that nobody sets
MODEL_SETTINGS = (
    "model",  # FILE.py:Class
    *(field.name for field in dataclasses.fields(ModelConfig) if field.name not in FOUND_OUT),
)
OF_OWN_CODE = ("model", "context_length")  # what can be said of a model of one's own
TRAIN_SETTINGS = tuple(field.name for field in dataclasses.fields(TrainConfig))


@dataclasses.dataclass(frozen=True)
class Request:
    """What a person asked for, sorted by what it is about; unset means "choose for me"."""

    preset: str
    text: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    given: frozenset[str] = frozenset()  # the names of those that do not come from a preset or a recipe file
    in_file: frozenset[str] = frozenset()  # the names of those that a recipe file has

    @property
    def tokenizer(self) -> str:
        return self.text.get("tokenizer", "auto")

    @property
    def seed(self) -> int:
        return self.training.get("seed", TrainConfig.seed)

    @property
    def dev_fraction(self) -> float:
        return self.training.get("dev_fraction", TrainConfig.dev_fraction)


def request(preset: str = "auto", config: str | None = None, **settings: Any) -> Request:
    """Lay a recipe file over a preset and single settings over both; settings that are None count as not given.

    Raises:
        InputError: no such preset or setting.
    """
    layers, in_file = [presets.load(preset)], frozenset[str]()
    if config is not None:
        layers.append(recipe := presets.load_file(config))
        in_file = frozenset((*recipe.text, *recipe.model, *recipe.training))
    own = {name: value for name, value in settings.items() if value is not None}
    known = (*TEXT_SETTINGS, *MODEL_SETTINGS, *TRAIN_SETTINGS)
    for name in own:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise InputError(
                f"there is no setting {name!r}" + (f": did you mean {near[0]!r}?" if near else "")
            )
    for name in BUDGETS:
        if name in own and not own[name] > 0:
            raise InputError(f"--{name.replace('_', '-')} must be above 0, not {own[name]!r}")
    layers.append(
        presets.Recipe(
            "",
            {name: own[name] for name in TEXT_SETTINGS if name in own},
            {name: own[name] for name in MODEL_SETTINGS if name in own},
            {name: own[name] for name in TRAIN_SETTINGS if name in own},
        )
    )
    training: dict[str, Any] = {}
    for layer in layers:
        _refuse_unknown(layer.text, TEXT_SETTINGS)
        _refuse_unknown(layer.model, MODEL_SETTINGS)
        _refuse_unknown(layer.training, TRAIN_SETTINGS)
        if any(name in layer.training for name in BUDGETS):  # a later budget replaces an earlier one
            training = {name: value for name, value in training.items() if name not in BUDGETS}
        training.update(layer.training)
    if not any(training.get(name) for name in BUDGETS):
        training["minutes"] = DEFAULT_MINUTES
    return Request(
        preset,
        {name: value for layer in layers for name, value in layer.text.items()},
        {name: value for layer in layers for name, value in layer.model.items()},
        training,
        frozenset(own),
        in_file,
    )


def resolve(
    asked: Request, vocab_size: int, kind: str, n_tokens: int, machine: Machine
) -> tuple[ModelConfig, TrainConfig, list[str]]:
    """The full configuration of a run, and the reasons for what `auto` chose.

    Args:
        kind: of the tokenizer, "char", "bpe" or "wordpiece".
        n_tokens: of the training split.
    """
    choice = auto.Choice({}, {}, [])
    if asked.preset == "auto":
        minutes, to_read = asked.training.get("minutes", 0.0), _tokens_to_read(asked.training, n_tokens)
        given = {*asked.model, *asked.training}
        if "model" in given:  # the rest of its shape is its own
            given |= set(MODEL_SETTINGS) - {"context_length"}
        choice = auto.choose(n_tokens, vocab_size, kind, machine, minutes, to_read, given)
    model, training = _laid_over(choice, asked, vocab_size)
    if model.own:
        from pellucid.training.own_trial import tried

        model = tried(model)
    training = dataclasses.replace(training, device=machine.device, precision=machine.precision)
    return model, training, choice.reasons


def refuse_impossible(asked: Request) -> None:
    """Refuse settings that no text and no machine can make right, before either is looked at.

    Raises:
        InputError: what `resolve` would say, whatever `auto` were to choose.
    """
    choices = auto.all_choices() if asked.preset == "auto" else [auto.Choice({}, {}, [])]
    refusals: list[InputError] = []
    for choice in choices:
        try:
            _laid_over(choice, asked, ANY_VOCABULARY)
        except InputError as error:
            refusals.append(error)
    if len(refusals) == len(choices):
        raise refusals[0]


def _laid_over(choice: auto.Choice, asked: Request, vocab_size: int) -> tuple[ModelConfig, TrainConfig]:
    """What is asked for, over what was chosen."""
    chosen, model = dict(choice.model), asked.model
    if chosen and isinstance(model.get("d_model"), int) and not {"n_heads", "head_dim"} & model.keys():
        chosen["n_heads"] = max(1, model["d_model"] // 64)
    recipe = {**choice.training, **asked.training}
    if "model" in model:
        return ModelConfig(vocab_size=vocab_size, **_of_own_code(asked, chosen)), TrainConfig(
            **{**recipe, "optimizer": "adamw"}
        )
    return ModelConfig(vocab_size=vocab_size, **{**chosen, **model}), TrainConfig(**recipe)


def _of_own_code(asked: Request, chosen: dict[str, Any]) -> dict[str, Any]:
    """What ModelConfig is told of a model of one's own; its file is executed.

    Raises:
        InputError: there is no such file or class, or a setting is for the transformer here.
    """
    from pellucid.training.own_code import load_own

    named = asked.model["model"]
    if not isinstance(named, str):
        raise InputError(f"a model of your own is named as FILE.py:Class, not {named!r}")
    for name in MODEL_SETTINGS:
        if name not in OF_OWN_CODE and name in asked.given | asked.in_file:
            raise InputError(
                f"{name} is for the transformer of Pellucid: leave it out, or give your model a setting of its own, "
                f"as in --model {named.split(',')[0]},{name}={asked.model[name]}"
            )
    if "optimizer" in asked.given | asked.in_file and asked.training["optimizer"] != "adamw":
        raise InputError(
            f"{asked.training['optimizer']} is for the blocks of Pellucid's transformer: leave --optimizer out, and "
            "your model is trained by adamw"
        )
    length = asked.model.get("context_length", chosen.get("context_length"))
    given = {} if length is None else {"context_length": length}
    return {"architecture": "own", "own": load_own(named), **given}


def _refuse_unknown(values: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"the recipe has unknown settings: {', '.join(unknown)}")


def _tokens_to_read(training: dict[str, Any], n_tokens: int) -> float:
    """The tokens that a budget other than minutes lets the model read."""
    if training.get("train_tokens"):
        return training["train_tokens"]
    if training.get("epochs"):
        return training["epochs"] * n_tokens
    return training.get("steps", 0) * training.get("batch_size", 16) * 128
