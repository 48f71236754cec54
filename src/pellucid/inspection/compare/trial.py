"""One contender, one seed: trained in memory, scored on the validation text, measured, and let go."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.inspection.compare import counted
from pellucid.inspection.compare.contender import Comparison, Contender
from pellucid.inspection.compare.material import Material
from pellucid.model.accounting import flops_per_token, n_active_params, n_params
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.tokenizers.tokenizer import check_tokenizer
from pellucid.training.auto import FORWARD_AND_BACKWARD
from pellucid.training.config import BUDGETS, TrainConfig
from pellucid.training.data import TrainingData
from pellucid.training.evaluation import Score
from pellucid.training.failures import Diverged
from pellucid.training.forecast import check_memory, seconds_per_step
from pellucid.training.machine import Machine, for_training
from pellucid.training.observer import EvalReport, Observer, StepReport
from pellucid.training.plan import build, measuring_trainer
from pellucid.training.run_folder import RunFolder
from pellucid.training.settings import MODEL_SETTINGS, TEXT_SETTINGS, Request, refuse_impossible, resolve
from pellucid.training.unsaved import Unsaved

SAMPLE_TOKENS = 200
SAMPLE_TEMPERATURE = 0.8
EVAL_TOKENS = 8192
ELSEWHERE = ("device", "precision", "compile", "plain")  # where it is trained is not what is compared

Progress = Callable[[int, int, float], None]
"""Hears steps done, all steps, and the loss of the last."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A contender that is ready to be trained: its configurations without a seed, and its text."""

    contender: Contender
    model: ModelConfig
    training: TrainConfig
    data: TrainingData

    @property
    def window(self) -> int:
        return self.training.window_of(self.model.context_length)

    @property
    def flops(self) -> int:
        """Floating-point operations of one step."""
        per_token = FORWARD_AND_BACKWARD * flops_per_token(self.model, self.window)
        return per_token * self.training.batch_size * self.window

    def key(self, seed: int) -> str:
        """What is the same for trainings that give the same; of what is compared, not of where."""
        training = {name: value for name, value in self.training.to_dict().items() if name not in ELSEWHERE}
        parts = (
            self.contender.counted,
            self.contender.documents,
            self.contender.times,
            self.model.to_dict(),
            training,
            self.data.record["fingerprint"],
            self.data.tokenizer.fingerprint,
            seed,
        )
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model, for what a set measures besides its loss.

    `score` is that of the validation text, left to right whatever the model's mask; `training_loss` that of a part of
    its own text, with its own mask; `evaluations` what it lost on its way, where the set asked for that.
    """

    trial: Trial
    trainer: Unsaved
    material: Material
    score: Score
    training_loss: float
    evaluations: list[dict[str, float]]

    @property
    def model(self) -> LanguageModel:
        return self.trainer.model

    @property
    def machine(self) -> Machine:
        return self.trainer.machine

    def losses(self, tokens: Any, length: int = 0) -> Score:
        """The score of other tokens, in windows of `length` (the trained one)."""
        evaluator = self.trial.data.evaluator(length or self.trial.window)
        return evaluator.score(self.model, tokens, self.machine.device, self.machine.precision)


def prepare(
    comparison: Comparison, contender: Contender, material: Material, machine: Machine, budget: dict[str, Any]
) -> Trial:
    """Decide all that a contender's training is.

    Raises:
        InputError: a setting is wrong, the text is too short, or memory too small.
    """
    asked = request_of(comparison, contender, budget)
    try:
        data = material.data(asked)
        tokenizer = data.tokenizer
        model, training, _ = resolve(asked, tokenizer.vocab_size, tokenizer.kind, len(data.train), machine)
        training = dataclasses.replace(training, compile="no", sample_tokens=0, eval_tokens=EVAL_TOKENS)
        window = training.window_of(model.context_length)
        data = material.of(contender, data, training, window)
        if not contender.counted:
            data.batches(window, 0)  # refuses a text that is too short
            check_memory(model, training, machine.memory)
    except InputError as error:
        raise InputError(f"{contender.name}: {error}") from None
    return Trial(contender, model, training, data)


def request_of(comparison: Comparison, contender: Contender, budget: dict[str, Any]) -> Request:
    """A contender's settings, sorted by what they are about, with the budget that all have."""
    settings = {**comparison.common, **contender.settings}
    recipe = {
        name: value
        for name, value in settings.items()
        if name not in (*TEXT_SETTINGS, *MODEL_SETTINGS, *BUDGETS)
    }
    return Request(
        contender.preset or "compared",
        {name: settings[name] for name in TEXT_SETTINGS if name in settings},
        {name: settings[name] for name in MODEL_SETTINGS if name in settings},
        {"patience": 0, **recipe, **budget},
        frozenset(settings),
    )


def refuse_at_once(comparison: Comparison, budget: dict[str, Any]) -> None:
    """Refuse what is wrong whatever the text holds, before it is read.

    Raises:
        InputError: a setting is unknown or wrong, or two do not go together.
    """
    for contender in comparison.contenders:
        asked = request_of(comparison, contender, budget)
        try:
            check_tokenizer(asked.tokenizer, asked.text.get("vocab_size"))
            refuse_impossible(asked)
        except InputError as error:
            raise InputError(f"{contender.name}: {error}") from None


# ---------------------------------------------------------------------- carrying it out


def run_trial(
    trial: Trial,
    seed: int,
    comparison: Comparison,
    material: Material,
    machine: Machine,
    progress: Progress,
    sample: bool,
) -> dict[str, Any]:
    """What became of it, as JSON; `diverged` says why a training could not go on.

    Raises:
        Interrupted: by Ctrl-C; nothing of it is kept.
    """
    result = {"contender": trial.contender.name, "seed": seed, "key": trial.key(seed), "diverged": None}
    if trial.contender.counted:
        return {**result, **_count(trial, sample)}
    with tempfile.TemporaryDirectory(prefix="pellucid-compare-") as folder, for_training(machine.device):
        watch = _Watch(progress)
        trainer = make_trainer(trial, seed, machine, watch, Path(folder), bool(_evaluations(comparison)))
        trainer.start()
        try:
            trainer.train()
        except Diverged as error:
            return {**result, "diverged": str(error), **_costs(trial, trainer, watch)}
        with trainer.average.applied():
            found = _measure(trial, trainer, watch, comparison, material)
            text = _write(trial, trainer, machine.device) if sample else None
    return {**result, **found, **_costs(trial, trainer, watch), "sample": text}


def make_trainer(
    trial: Trial, seed: int, machine: Machine, observer: Observer, folder: Path, evaluations: bool = False
) -> Unsaved:
    """A trainer of the contender's fresh model; it is scored on its way, or at its ends alone."""
    steps = trial.training.planned_steps(1, trial.window) or 1
    ends = {"eval_every": 0 if evaluations else max(steps, 1 << 30), "checkpoint_every": 1 << 30}
    config = dataclasses.replace(trial.training, seed=seed, **ends)
    model = build(trial.model, config, machine)
    first = steps
    if config.minutes:  # the first plan comes from the speed of a step, the clock makes the others
        seconds = seconds_per_step(measuring_trainer(model, trial.data, config, machine))
        first = max(1, int(60 * config.minutes / seconds))
    return Unsaved(RunFolder(folder), model, trial.data, config, machine, first, observer)


class _Watch(Observer):
    """Keeps the times of steps and the losses of evaluations."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds: list[float] = []
        self.evaluations: list[EvalReport] = []

    def stepped(self, report: StepReport) -> None:
        self.seconds.append(report.seconds)
        self.progress(report.step, report.total_steps, report.loss)

    def evaluated(self, report: EvalReport) -> None:
        self.evaluations.append(report)


def _evaluations(comparison: Comparison) -> bool:
    return comparison.extra is not None and comparison.extra.evaluations


def _measure(
    trial: Trial, trainer: Unsaved, watch: _Watch, comparison: Comparison, material: Material
) -> dict[str, Any]:
    """Scores, and the set's own figures."""
    machine, last = trainer.machine, watch.evaluations[-1]
    score = trainer.evaluator.score(
        left_to_right(trainer.model), trial.data.validation, machine.device, machine.precision
    )
    ways = [
        {"tokens": each.tokens, "dev": each.dev.loss, "train": each.train.loss}
        for each in watch.evaluations
        if each.dev is not None
    ]
    trained = Trained(trial, trainer, material, score, last.train.loss, ways)
    extra = comparison.extra.measure(trained) if comparison.extra else {}
    return {
        "loss": score.loss,
        "bits_per_byte": score.bits_per_byte,
        "unknown": score.n_unknown,
        "training_loss": last.train.loss,
        "extra": extra,
    }


def left_to_right(model: LanguageModel) -> LanguageModel:
    """The model itself, or, of one that saw later tokens, the same weights with the mask that writing needs."""
    if model.config.mask == "causal":
        return model
    device = next(model.parameters()).device
    masked = build_model(dataclasses.replace(model.config, mask="causal"), "explicit").to(device)
    masked.load_state_dict(model.state_dict())
    return masked


def _costs(trial: Trial, trainer: Unsaved, watch: _Watch) -> dict[str, Any]:
    """What it took; the speed is that of its median step, which other programs disturb least."""
    steps = [after - before for before, after in zip(watch.seconds, watch.seconds[1:], strict=False)]
    per_step = trainer.windows.tokens_of(trainer.config.batch_size)
    return {
        "parameters": n_params(trial.model),
        "active_parameters": n_active_params(trial.model),
        "steps": trainer.progress.step,
        "tokens": trainer.progress.tokens,
        "epochs": trainer.progress.tokens / trainer.windows.n_tokens,
        "seconds": trainer.progress.seconds,
        "tokens_per_second": per_step / statistics.median(steps) if steps else None,
    }


def _write(trial: Trial, trainer: Unsaved, device: str) -> str:
    options = SamplingOptions(
        temperature=SAMPLE_TEMPERATURE, max_tokens=SAMPLE_TOKENS, seed=0, ignore_eos=True
    )
    with torch.inference_mode():
        return Engine(trainer.model.eval(), trial.data.tokenizer, device).generate("", options)[0].text


def _count(trial: Trial, sample: bool) -> dict[str, Any]:
    counts = counted.counts_of(trial.contender.counted, trial.data)
    score = counted.score(counts, trial.data)
    n_numbers = counted.n_numbers(counts)
    text = counted.write(counts, trial.data.tokenizer, SAMPLE_TOKENS, 0) if sample else None
    return {
        "loss": score.loss,
        "bits_per_byte": score.bits_per_byte,
        "unknown": score.n_unknown,
        "training_loss": None,
        "extra": {},
        "parameters": n_numbers,
        "active_parameters": n_numbers,
        "steps": 0,
        "tokens": len(trial.data.train) if n_numbers else 0,
        "epochs": float(bool(n_numbers)),
        "seconds": 0.0,
        "tokens_per_second": None,
        "sample": text,
    }
