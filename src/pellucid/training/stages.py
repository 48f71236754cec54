"""What trainings have in common, whatever they learn: the steps around the loop."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import pellucid
from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.lora import adapted_layers
from pellucid.text.bigrams import PairCounts, count_pairs
from pellucid.training import own_code, report
from pellucid.training.config import TrainConfig
from pellucid.training.control import Control
from pellucid.training.data import TrainingData, absolute_sources
from pellucid.training.elsewhere import new_elsewhere, newest_shared
from pellucid.training.files import write_atomically
from pellucid.training.forecast import (
    LEAST_EVAL_TOKENS,
    LEAST_REPLY_TOKENS,
    LONG_STEP,
    Forecast,
    evaluation_tokens,
    seconds_per_step,
)
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine
from pellucid.training.observer import Observer
from pellucid.training.plan import build, forecast
from pellucid.training.ranks import ALONE, Ranks
from pellucid.training.replies import ReplyData
from pellucid.training.report import Outcome
from pellucid.training.run_folder import RunFolder, create_run
from pellucid.training.schedules import EVALUATIONS, Pace
from pellucid.training.weights import load_weights

Sources = str | Path | Sequence[str | Path]
Data = TrainingData | ReplyData
STEPS_BETWEEN = 8  # evaluations at least, where steps are long


def heard_by(observer: Observer | None, ranks: Ranks) -> Observer:
    """Who hears of a training: of several processes the first one speaks for all."""
    return observer if observer and ranks.is_first else Observer()


@contextlib.contextmanager
def new_run(out: str | Path | None, name: str, overwrite: bool, ranks: Ranks = ALONE) -> Iterator[RunFolder]:
    """A locked folder for a run; it is gone again if what is done with it fails before it is a run."""
    if not ranks.is_first:
        yield new_elsewhere(ranks.agree(""))
        return
    run = create_run(out, name, overwrite)
    ranks.agree(str(run.path))
    control = Control(run)
    try:
        control.clear()
        yield run
    except BaseException:
        run.discard_if_not_begun()
        raise
    finally:
        control.clear()
        run.unlock()


@contextlib.contextmanager
def going_on(run: RunFolder, ranks: Ranks) -> Iterator[None]:
    """Within, a run that is resumed is this process's."""
    if not ranks.is_first:
        yield
        return
    run.lock()
    control = Control(run)
    try:
        control.clear()  # of a training that was killed
        yield
    finally:
        control.clear()
        run.unlock()


def check_same(ranks: Ranks, data: Data) -> None:
    """Raises: InputError when not all processes have read the same text, or made the same tokens of it."""
    first, *others = ranks.gather(
        [data.record["fingerprint"], data.record["tokens"], data.tokenizer.fingerprint]
    )
    for number, other in enumerate(others, 2):
        if other != first:
            what = "text" if other[0] != first[0] else "split or tokenizer"
            raise InputError(
                f"process {number} finds another {what} than process 1: every machine needs the same files and the "
                "same version of pellucid"
            )


def carry_out(trainer: Trainer, sources: Sources, more: dict[str, Any] | None = None) -> Outcome:
    """Make the trainer's folder a run, train to the end, and score it; `more` as `write_config` takes it."""
    run, data = trainer.run, trainer.data
    if trainer.ranks.is_first:
        write_config(run, sources, data, trainer.model.config, trainer.config, trainer.machine, more)
        if isinstance(data, TrainingData):
            pair_counts(run, data)
        trainer.observer.began(run.path, 0)
    trainer.start()
    trainer.train()
    return finish(trainer)


def with_evaluations(config: TrainConfig, expected: Forecast, data: Data) -> TrainConfig:
    """Evaluations must not eat the run; how many and how long hangs on the measured speed, so it is recorded."""
    if not config.eval_every and expected.seconds_per_step > LONG_STEP:
        config = dataclasses.replace(config, eval_every=max(STEPS_BETWEEN, expected.steps // EVALUATIONS))
    if config.eval_tokens:
        return config
    evaluations = 1 + (expected.steps // config.eval_every if config.eval_every else EVALUATIONS)
    least = LEAST_REPLY_TOKENS if isinstance(data, ReplyData) else LEAST_EVAL_TOKENS
    affordable = evaluation_tokens(expected.tokens, evaluations, least)
    return dataclasses.replace(config, eval_tokens=0 if affordable >= data.n_dev > 0 else affordable)


def write_config(
    run: RunFolder,
    sources: Sources,
    data: Data,
    model: ModelConfig,
    config: TrainConfig,
    machine: Machine,
    more: dict[str, Any] | None = None,
) -> None:
    """Write tokenizer and configuration: with them the folder is a run. `more` are further parts of it."""
    data.tokenizer.save(run.tokenizer_path)
    own_code.keep(run, model)
    run.write_config(
        {
            "pellucid": pellucid.__version__,
            "torch": torch.__version__,
            "model": model.to_dict(),
            "training": config.to_dict(),
            "data": {"sources": absolute_sources(sources), **data.record},
            "machine": dataclasses.asdict(machine),
            **(more or {}),
        }
    )


def pair_counts(run: RunFolder, data: TrainingData) -> PairCounts:
    """The counted pairs of the training split: the run's own, or counted now and kept for the run."""
    with contextlib.suppress(InputError):  # missing or damaged: they can be counted at any time
        kept = PairCounts.load(run.bigram_path)
        if kept.fits(data.train, data.tokenizer.vocab_size):
            return kept
    counts = count_pairs(data.train, data.tokenizer.vocab_size)
    write_atomically(run.bigram_path, counts.save)
    return counts


def restore(trainer: Trainer, observer: Observer) -> None:
    """Take up the newest sound checkpoint; without one, start again."""
    ranks = trainer.ranks
    if not trainer.run.checkpoints.steps():
        observer.note("The run stopped before its first checkpoint: starting it again.")
        trainer.pace = Pace(forecast(trainer, 0).steps)
        observer.began(trainer.run.path, 0)
        trainer.start()
        return
    checkpoint, problems = newest_shared(ranks, trainer.run)
    for problem in problems:
        observer.note(f"Checkpoint {problem}: taking an older one.")
    trainer.restore(checkpoint)
    if ranks.world > 1:  # they order what they send by the first step, and sums of floats hang on the order
        seconds_per_step(trainer)
    if ranks.is_first:
        observer.began(trainer.run.path, checkpoint.step)
    observer.note(f"Resuming at step {checkpoint.step:,} of {trainer.pace.total_steps(checkpoint.step):,}.")


def extend(trainer: Trainer, config: TrainConfig) -> None:
    """Give a restored run the budget of `config`."""
    steps = config.planned_steps(trainer.windows.per_epoch, trainer.windows.context_length)
    if steps is None:
        left = max(0.0, 60 * config.minutes - trainer.progress.seconds)
        steps = trainer.progress.step + int(left / seconds_per_step(trainer))
    if steps != trainer.pace.total_steps(trainer.progress.step):
        trainer.extend(steps)


def finish(trainer: Trainer) -> Outcome:
    """Score the run's weights on the validation split, once, and write plot and card.

    Of several processes only the first one knows all of the outcome.
    """
    run, data, machine, ranks = trainer.run, trainer.data, trainer.machine, trainer.ranks
    model = trainer.model
    if adapted_layers(model):  # what is published has them merged
        model = build(model.config, trainer.config, machine)
    load_weights(model, run.model_path, ranks)
    validation = bigram = None
    # the last token ends a text, and is not scored
    if len(data.validation) > 2 or isinstance(data, ReplyData):
        scored = trainer.evaluator.score(model, data.validation, machine.device, machine.precision, ranks)
        validation = scored if scored.n_tokens else None
    if validation and isinstance(data, TrainingData) and ranks.is_first:
        bigram = trainer.evaluator.bigram_score(pair_counts(run, data), data.validation)
    progress = trainer.progress
    outcome = Outcome(
        run, progress.step, progress.tokens, progress.seconds, progress.best_step, validation, bigram
    )
    if not ranks.is_first:
        return outcome
    run.floor_path.unlink(missing_ok=True)  # of weights that the run had before it was trained on
    run.journal.write(
        "finished",
        step=progress.step,
        validation_loss=validation.loss if validation else None,
        validation_bits_per_byte=validation.bits_per_byte if validation else None,
        bigram_loss=bigram.loss if bigram else None,
    )
    report.write_plot(run, validation, bigram)
    report.write_card(outcome)
    trainer.observer.finished(outcome)
    return outcome
