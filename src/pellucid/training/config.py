"""How a model is trained: one frozen dataclass, validated. Imports no torch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

from pellucid.errors import InputError
from pellucid.training.schedules import Schedule

OptimizerKind = Literal["adamw", "muon"]
BUDGETS = ("minutes", "steps", "epochs", "train_tokens")
SWITCH = ("auto", "yes", "no")
RANGES: dict[str, tuple[float, float | str]] = {  # the least and the most, which another field may be
    **dict.fromkeys(BUDGETS, (0, 1e15)),
    "window": (0, 1 << 24),
    "batch_size": (1, 1 << 20),
    "accumulate": (1, "batch_size"),
    "lr": (1e-12, 100),
    "min_lr": (0, "lr"),
    "warmup_steps": (0, math.inf),
    "warmup_start": (0, 1),
    "weight_decay": (0, 10),
    "beta1": (0, 0.9999999),
    "beta2": (0, 0.9999999),
    "clip": (0, math.inf),
    "ema": (0, 0.9999999),
    "eval_every": (0, math.inf),
    "eval_tokens": (0, math.inf),
    "checkpoint_every": (0, math.inf),
    "patience": (0, math.inf),
    "dev_fraction": (0, 0.5),
    "seed": (0, 2**63 - 1),
    "sample_tokens": (0, 1 << 20),
    "sample_temperature": (0, 100),
}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A recipe. Exactly one of the four budgets is set.

    Attributes:
        minutes: of the training loop.
        steps: of the optimizer.
        epochs: times through the training text.
        train_tokens: tokens to read.
        window: tokens of a window, or of a row of conversations; 0 is the model's whole context.
        batch_size: windows a step reads, of all processes together.
        accumulate: equal parts of a batch that are computed one after the other, to save memory.
        optimizer: AdamW, or Muon for the matrices of the blocks with AdamW for the rest.
        lr: the peak learning rate.
        min_lr: where its fall ends.
        schedule: warm-up, stable, decay (wsd); a half cosine down to min_lr; or constant after the warm-up.
        warmup_steps: steps of rising rate, at most a tenth of the plan.
        warmup_start: the share of its peak at which the rate begins to rise.
        weight_decay: the share of its weights that each matrix loses a step, times the rate.
        beta1: how much of the gradients' mean AdamW keeps a step.
        beta2: how much of the mean of their squares.
        clip: largest gradient norm; 0 leaves gradients alone.
        ema: decay a step of an average of the weights, which is what is scored and kept; 0 keeps the weights.
        eval_every: steps between evaluations; 0 makes ten, evenly spread.
        eval_tokens: tokens of the dev split each evaluation scores; 0 means all.
        checkpoint_every: steps between checkpoints besides those at evaluations; 0 leaves it to the clock.
        patience: evaluations without a better dev loss before stopping; 0 never stops.
        dev_fraction: share of the training text held out for choosing the best weights.
        seed: of the split, the weights, the order of windows, dropout and the samples.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "mps".
        precision: "auto" (by a measurement of 0.2 s), "float32" or "bfloat16".
        plain: take the plain path, without speed-ups, for comparison.
        compile: whether the blocks run as torch.compile's code: "yes", "no", or "auto", where that is measured to pay.
        shard: of several processes, whether each keeps a part of the weights alone: "yes", "no", or "auto", where
            one device's memory is too small for all.
        sample_prompt: how the samples written at evaluations begin.
        sample_tokens: tokens of each; 0 writes none.
        sample_temperature: at which they are drawn.

    Raises:
        InputError: a value is out of range, or not exactly one budget is given.
    """

    minutes: float = 0.0
    steps: int = 0
    epochs: float = 0.0
    train_tokens: int = 0
    window: int = 0
    batch_size: int = 32
    accumulate: int = 1
    optimizer: OptimizerKind = "muon"
    lr: float = 5e-3
    min_lr: float = 0.0
    schedule: Schedule = "wsd"
    warmup_steps: int = 20
    warmup_start: float = 0.0
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    ema: float = 0.0
    eval_every: int = 0
    eval_tokens: int = 0
    checkpoint_every: int = 0
    patience: int = 0
    dev_fraction: float = 0.05
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    plain: bool = False
    compile: str = "auto"
    shard: str = "auto"
    sample_prompt: str = ""
    sample_tokens: int = 120
    sample_temperature: float = 0.8

    def __post_init__(self) -> None:
        given = [name for name in BUDGETS if getattr(self, name)]
        if len(given) != 1:
            raise InputError(
                "a run has one budget: give just one of --minutes, --steps, --epochs and --train-tokens"
                + (f", not {' and '.join(given)}" if given else "")
            )
        for name, kind in (("optimizer", OptimizerKind), ("schedule", Schedule)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(
                    f"{name} {getattr(self, name)!r} is unknown: choose {' or '.join(get_args(kind))}"
                )
        for name in ("compile", "shard"):
            if getattr(self, name) not in SWITCH:
                raise InputError(f"--{name} takes {', '.join(SWITCH)}, not {getattr(self, name)!r}")
        if self.plain and self.compile == "yes":
            raise InputError("--plain means uncompiled: leave out --compile yes, or --plain")
        for name, (low, most) in RANGES.items():
            high = getattr(self, most) if isinstance(most, str) else most
            value, flag = getattr(self, name), "--" + name.replace("_", "-")
            if isinstance(TrainConfig.__dict__[name], int) and not isinstance(value, int):
                raise InputError(f"{flag} must be a whole number, not {value!r}")
            if not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(f"{flag} must lie between {low:g} and {high:g}, not {value!r}")
        if self.batch_size % self.accumulate:
            raise InputError(
                f"a batch of {self.batch_size} does not divide into {self.accumulate} equal parts: change --accumulate"
            )

    @property
    def budget(self) -> tuple[str, float]:
        """The budget's name and size."""
        return next((name, getattr(self, name)) for name in BUDGETS if getattr(self, name))

    def window_of(self, context_length: int) -> int:
        """Tokens of a window where the model sees `context_length`."""
        return min(self.window or context_length, context_length)

    def share_of(self, processes: int) -> int:
        """Windows of a batch that each of so many processes reads.

        Raises:
            InputError: they cannot be shared out evenly.
        """
        each, rest = divmod(self.batch_size, processes * self.accumulate)
        if rest:
            fits = (each + 1) * processes * self.accumulate
            parts = f", each in {self.accumulate} parts" if self.accumulate > 1 else ""
            raise InputError(
                f"a batch of {self.batch_size} cannot be shared out evenly among {processes} processes{parts}: "
                f"give --batch-size {fits}, or start a number of processes that divides it"
            )
        return self.batch_size // processes

    def planned_steps(self, windows_per_epoch: int, context_length: int) -> int | None:
        """Steps the budget buys; None when only the clock can tell."""
        name, size = self.budget
        if name == "steps":
            return int(size)
        if name == "epochs":
            return max(1, math.ceil(size * windows_per_epoch / self.batch_size))
        if name == "train_tokens":
            return max(1, math.ceil(size / (self.batch_size * context_length)))
        return None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Raises: InputError when a name is unknown."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"the training configuration has settings unknown here: {', '.join(unknown)}")
        return cls(**values)
