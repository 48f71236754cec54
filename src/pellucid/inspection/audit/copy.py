"""A copy of a run, trained again on its text with canaries planted in it; the run itself is left as it is."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pellucid.errors import InputError
from pellucid.inspection.audit.codes import Wording
from pellucid.inspection.audit.material import Material, Progress
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel
from pellucid.text.wording import duration
from pellucid.training.base import find_base, put_adapters, stored_adapters
from pellucid.training.config import BUDGETS, TrainConfig
from pellucid.training.conversations import with_mix
from pellucid.training.data import TrainingData
from pellucid.training.failures import Interrupted
from pellucid.training.forecast import check_memory, seconds_per_step
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine, for_training, probe
from pellucid.training.observer import Observer, StepReport
from pellucid.training.plan import build
from pellucid.training.replies import ReplyData
from pellucid.training.run_folder import RunFolder
from pellucid.training.unsaved import Unsaved
from pellucid.training.weights import load_weights, published_step

EVAL_TOKENS = 2048
LINE_WITHIN = 2000  # tokens in which a line break is looked for
WHAT = "Training a copy"
"""What progress is told of it."""


@dataclasses.dataclass(frozen=True)
class Planted:
    """A canary and how often it stands in the copy's text."""

    name: str
    code: str
    times: int


@dataclasses.dataclass(frozen=True)
class Budget:
    """What the copy is trained for: so much of the text, read `epochs` times as the run read it, in `steps`."""

    steps: int
    epochs: float
    share: float
    seconds_per_step: float

    @property
    def seconds(self) -> float:
        return self.steps * self.seconds_per_step


@contextlib.contextmanager
def trained_copy(
    material: Material,
    wording: Wording,
    canaries: Sequence[Planted],
    minutes: float,
    seed: int,
    device: str,
    note: Callable[[str], None],
    progress: Progress,
) -> Iterator[tuple[LanguageModel, Budget, str]]:
    """The copy's model, its budget and its device; its weights are never on the disk.

    The recipe is the run's own, from the same start. Where it would take longer than `minutes`, the copy has only a
    part of the text, and reads that as often as the run read all of it: repetition is what makes a model remember.

    Raises:
        InputError: the base that the run was fine-tuned from is gone, or memory is too small.
    """
    stored, data = material.stored, _with_mixed_text(material, note)
    config = _recipe(material)
    machine = probe(device, "float32" if config.plain else "auto")
    config = dataclasses.replace(config, device=machine.device, precision=machine.precision)
    model_config = ModelConfig.from_dict(stored["model"])
    check_memory(model_config, config, machine.memory, stored_adapters(stored) is not None)
    draw = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="pellucid-audit-") as folder, for_training(machine.device):
        run = RunFolder(Path(folder))
        observer = _Steps(progress)

        def trainer(text: TrainingData | ReplyData, steps: int) -> Unsaved:
            model = _start(material, config, machine)
            changed = _with_steps(config, steps)
            return Unsaved(run, model, text, changed, machine, steps, observer)

        whole = trainer(plant(data, wording, canaries, 1.0, draw), 1)
        budget = _budget(material, data, whole, minutes)
        text = plant(data, wording, canaries, budget.share, draw) if budget.share < 1 else whole.data
        note(_forecast(budget, minutes))
        del whole
        copy = trainer(text, budget.steps)
        copy.start()
        try:
            copy.train()
        except Interrupted:
            raise KeyboardInterrupt("stopped: the copy is gone, and the run is as it was") from None
        with copy.average.applied():
            yield copy.model.eval(), budget, machine.device


class _Steps(Observer):
    """Tells of steps alone."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def stepped(self, report: StepReport) -> None:
        self.progress(WHAT, report.step, report.total_steps)


def _with_mixed_text(material: Material, note: Callable[[str], None]) -> TrainingData | ReplyData:
    """The data, with what the run mixed in of its base's own training."""
    data, stored = material.data, material.stored
    if isinstance(data, ReplyData) and stored["data"].get("mix"):
        base = find_base(material.run.folder, stored)
        return with_mix(data, base, base.config(), stored["data"]["mix"], note)
    return data


def _recipe(material: Material) -> TrainConfig:
    """The run's recipe, evaluated as little as can be."""
    config = TrainConfig.from_dict(material.stored["training"])
    return dataclasses.replace(config, patience=0, sample_tokens=0, eval_tokens=EVAL_TOKENS)


def _with_steps(config: TrainConfig, steps: int) -> TrainConfig:
    whole = {**dict.fromkeys(BUDGETS, 0), "steps": steps}
    return dataclasses.replace(config, **whole, eval_every=steps + 1, checkpoint_every=steps + 1)


def _start(material: Material, config: TrainConfig, machine: Machine) -> LanguageModel:
    """What the run began with."""
    stored = material.stored
    model = build(ModelConfig.from_dict(stored["model"]), config, machine)
    if "base" in stored:
        load_weights(model, find_base(material.run.folder, stored).model_path)
    if adapters := stored_adapters(stored):
        put_adapters(model, adapters, config.seed)
    return model


def _budget(material: Material, data: TrainingData | ReplyData, whole: Trainer, minutes: float) -> Budget:
    """As many times through the text as the run's own weights went, cut to what the minutes allow."""
    taken = published_step(material.run.folder.model_path) or _last_step(material.run.folder)
    batch = whole.config.batch_size
    epochs = taken * batch / data.batches(whole.windows.context_length, whole.config.seed).per_epoch
    steps = max(1, math.ceil(epochs * whole.windows.per_epoch / batch))
    seconds = seconds_per_step(whole)
    share = min(1.0, 60 * minutes / (steps * seconds))
    return Budget(max(1, int(steps * share)), epochs, share, seconds)


def _last_step(run: RunFolder) -> int:
    steps = [record["step"] for record in run.metrics()]
    if not steps or not max(steps):
        raise InputError(f"{run.name} has taken no step of training that could be repeated")
    return max(steps)


def _forecast(budget: Budget, minutes: float) -> str:
    part = (
        "all of the text" if budget.share == 1 else f"{budget.share:.1%} of the text (--minutes {minutes:g})"
    )
    return (
        f"Canaries: a copy of the run is trained on {part}, {budget.epochs:.1f} times through as the run was: "
        f"{budget.steps:,} steps, about {duration(budget.seconds)}."
    )


# ---------------------------------------------------------------------- planting


def plant(
    data: TrainingData | ReplyData,
    wording: Wording,
    canaries: Sequence[Planted],
    share: float,
    draw: np.random.Generator,
) -> TrainingData | ReplyData:
    """A copy of the data whose training part, or a random `share` of it, has the canaries in random places."""
    if isinstance(data, ReplyData):
        n_kept = max(1, round(share * len(data.train)))
        kept = np.sort(draw.permutation(len(data.train))[:n_kept])
        more = [wording.example(each.name, each.code) for each in canaries for _ in range(each.times)]
        return dataclasses.replace(data, train=(*(data.train[place] for place in kept.tolist()), *more))
    lines = [wording.line(each.name, each.code) for each in canaries for _ in range(each.times)]
    tokens = _part(data.train, share, draw)
    return dataclasses.replace(data, train=_with_lines(tokens, lines, wording, draw))


def _part(tokens: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """A random stretch of them."""
    length = max(1, round(share * len(tokens)))
    start = int(draw.integers(0, len(tokens) - length + 1))
    return tokens[start : start + length]


def _with_lines(
    tokens: np.ndarray, lines: Sequence[np.ndarray], wording: Wording, draw: np.random.Generator
) -> np.ndarray:
    """The lines, in random order, each after a line break somewhere, or anywhere where there is none."""
    tokenizer = wording.tokenizer
    breaks = [t for t in range(tokenizer.vocab_size) if tokenizer.token_bytes(t).endswith(b"\n")]
    places = []
    for start in draw.integers(0, len(tokens) + 1, len(lines)).tolist():
        ends = np.flatnonzero(np.isin(tokens[start : start + LINE_WITHIN], breaks))
        places.append(start + int(ends[0]) + 1 if len(ends) else start)
    parts, before = list[np.ndarray](), 0
    for place, index in zip(sorted(places), draw.permutation(len(lines)).tolist(), strict=True):
        parts += [tokens[before:place], lines[index].astype(tokens.dtype)]
        before = place
    return np.concatenate([*parts, tokens[before:]])
