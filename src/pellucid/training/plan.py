"""What a training will be, before anything is written: data, model, recipe, the reasons, memory, and a forecast."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.documents import Corpus
from pellucid.text.sources import refuse_missing
from pellucid.text.tokenizers.tokenizer import build_tokenizer, check_tokenizer
from pellucid.text.wording import duration
from pellucid.training import compiling
from pellucid.training.config import TrainConfig
from pellucid.training.data import TrainingData, split_corpus, tokenise
from pellucid.training.forecast import (
    Forecast,
    check_memory,
    estimated_seconds,
    must_shard,
    seconds_per_step,
)
from pellucid.training.gradients import Batches
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine, attention_core, check_names, for_training, probe
from pellucid.training.observer import Observer
from pellucid.training.own_trial import sees_the_future
from pellucid.training.ranks import ALONE, Ranks
from pellucid.training.replies import ReplyData
from pellucid.training.report import parameters_text, token_counts, unknown_text
from pellucid.training.run_folder import RunFolder
from pellucid.training.settings import Request, refuse_impossible, resolve

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is decided of a training; `memory` is in bytes."""

    data: TrainingData
    machine: Machine
    model: ModelConfig
    training: TrainConfig
    reasons: tuple[str, ...]  # for what `auto` chose
    memory: int


def refuse_at_once(asked: Request, sources: str | Path | Sequence[str | Path] | None) -> None:
    """Refuse what is wrong whatever the text holds and the machine can do, before either is looked at.

    Args:
        sources: None where the text has been read already.

    Raises:
        InputError: a source is not there, a setting is unknown, or two do not go together.
    """
    if sources is not None:
        refuse_missing(sources)
    check_tokenizer(asked.tokenizer, asked.text.get("vocab_size"))
    check_names(asked.training.get("device", "auto"), asked.training.get("precision", "auto"))
    refuse_impossible(asked)


def choose_machine(asked: Request, ranks: Ranks = ALONE) -> Machine:
    """What there is to train on; of several processes the first one measures while the others wait.

    Raises:
        InputError: the device is not there, or cannot do the precision.
    """
    machine = shared_probe(
        ranks, asked.training.get("device", "auto"), asked.training.get("precision", "auto")
    )
    # code that is not known here may need float32
    plain = asked.training.get("plain") or "model" in asked.model
    if plain and "precision" not in asked.training:
        machine = dataclasses.replace(machine, precision="float32")
    return machine


def shared_probe(ranks: Ranks, device: str, precision: str, threads: int = 0) -> Machine:
    """As `probe`: the same machine for all processes, as the first one finds it."""
    found = dataclasses.asdict(probe(device, precision, threads)) if ranks.is_first else None
    machine = Machine(**ranks.agree(found))  # pyright: ignore[reportCallIssue]
    ranks.check(machine.device)
    if machine.device != "cpu":
        return dataclasses.replace(machine, processes=ranks.world)
    torch.set_num_threads(machine.threads)
    return dataclasses.replace(machine, processes=ranks.world, memory=machine.memory // ranks.local_world)


def prepare_data(
    corpus: Corpus, asked: Request, *, note: Tell, progress: Tell, keep: bool = True
) -> tuple[TrainingData, str]:
    """Split and tokenise; returns also what the tokenizer is and why.

    Args:
        note: hears what was decided.
        progress: hears how far learning a tokenizer is.
        keep: whether a learned tokenizer is put into the cache.

    Raises:
        InputError: nothing to train on, or no such tokenizer.
    """
    for line in corpus.notes:
        note(line)
    splits = split_corpus(corpus, asked.seed, asked.dev_fraction)
    tokenizer, reason = build_tokenizer(
        asked.tokenizer,
        [document.text for document in splits.train],
        asked.text.get("vocab_size"),
        progress=progress,
        keep=keep,
    )
    data = tokenise(corpus, splits, tokenizer)
    note(f"Tokens: {reason}; {token_counts(data)}.")
    if unknown := unknown_text(count_unknown(data), unknown_characters(data, corpus)):
        note(f"{unknown}.")
    if (lost := lost_bytes(data, corpus)) > len(corpus.documents):
        note(
            f"The tokens spell {lost:,} bytes less than the text has: what the vocabulary lacks is left out, and is in "
            "no score."
        )
    return data, reason


def lost_bytes(data: TrainingData, corpus: Corpus) -> int:
    """Bytes of the text that its tokens do not spell: those that a vocabulary from elsewhere lacks and leaves out."""
    tokenizer = data.tokenizer
    if tokenizer.kind != "imported" or tokenizer.unknown is not None:
        return 0
    bytes_of = np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)])
    spelled = sum(int(bytes_of[part].sum()) for part in (data.train, data.dev, data.validation))
    return sum(len(document.text.encode("utf-8", "replace")) for document in corpus.documents) - spelled


def count_unknown(data: TrainingData) -> int:
    """Characters of the splits that the vocabulary lacks."""
    unknown = data.tokenizer.unknown
    if unknown is None:
        return 0
    return sum(int((part == unknown).sum()) for part in (data.train, data.dev, data.validation))


def unknown_characters(data: TrainingData, corpus: Corpus) -> str:
    """Those characters of the text that the vocabulary lacks, each once."""
    if data.tokenizer.unknown is None:
        return ""
    texts = (document.text for document in corpus.documents)
    return "".join(dict.fromkeys("".join(map(data.tokenizer.unknown_characters, texts))))


def make_plan(data: TrainingData, asked: Request, machine: Machine, note: Tell) -> Plan:
    """Decide on model and recipe; `note` hears what was chosen.

    Raises:
        InputError: a setting is wrong, the text is too short, or memory too small.
    """
    kind, size = data.tokenizer.kind, data.tokenizer.vocab_size
    model, training, reasons = resolve(asked, size, kind, len(data.train), machine)
    for reason in reasons:
        note(f"Auto chose {reason}.")
    if model.own and sees_the_future(model):
        note(
            f"{model.own.name} sees later tokens, and so the answers it is asked for: its loss will be low and mean "
            "little; `pellucid doctor` of its file looks closer."
        )
    training.share_of(machine.processes)
    # refuses a text that is too short
    windows = data.batches(training.window_of(model.context_length), training.seed)
    try:
        memory = check_memory(model, training, machine.memory, processes=machine.processes)
    except InputError as error:
        raise InputError(f"{_estimate(data, model, training, machine, windows)}; {error}") from None
    return Plan(data, machine, model, training, tuple(reasons), memory)


def _estimate(
    data: TrainingData, model: ModelConfig, training: TrainConfig, machine: Machine, windows: Batches
) -> str:
    """What there is to say of a training that is too large to be measured."""
    seconds = estimated_seconds(model, training, machine)
    steps = training.planned_steps(windows.per_epoch, windows.context_length)
    time = f"a step about {duration(seconds)}" + (f", all about {duration(steps * seconds)}" if steps else "")
    return f"{parameters_text(model, data.tokenizer.n_reserved)}; by the probe's speed {time}"


def build(model: ModelConfig, config: TrainConfig, machine: Machine) -> LanguageModel:
    """The model with the weights that `config.seed` starts it with, the same in all processes."""
    torch.manual_seed(config.seed)
    length = config.window_of(model.context_length)
    core = attention_core(machine.device, length, model.dropout, machine.precision, config.plain)
    return build_model(model, core, config.plain).to(machine.device)


def share_out(
    model: LanguageModel, config: TrainConfig, machine: Machine, ranks: Ranks, frozen: bool = False
) -> None:
    """Let each of several processes keep a part of the weights, where it has to be; before there is a trainer."""
    if must_shard(model.config, config, machine.memory, frozen, ranks.world):
        ranks.shard(model, machine.device)


def forecast(trainer: Trainer, memory: int) -> Forecast:
    """What training will take, from a measured step."""
    config, windows = trainer.config, trainer.windows
    seconds = seconds_per_step(trainer)
    steps = config.planned_steps(windows.per_epoch, windows.context_length)
    if steps is None:
        steps = max(1, int(60 * config.minutes / seconds))
    tokens = windows.tokens_of(steps * config.batch_size)
    return Forecast(seconds, steps, tokens, tokens / windows.n_tokens, memory)


def measuring_trainer(
    model: LanguageModel,
    data: TrainingData | ReplyData,
    config: TrainConfig,
    machine: Machine,
    ranks: Ranks = ALONE,
) -> Trainer:
    """A trainer that only measures: it has no folder, and nothing is written."""
    return Trainer(RunFolder(Path("nowhere")), model, data, config, machine, 1, Observer(), ranks)


def forecast_of(
    model: LanguageModel,
    data: TrainingData | ReplyData,
    config: TrainConfig,
    machine: Machine,
    memory: int,
    ranks: Ranks = ALONE,
) -> Forecast:
    """`forecast` before there is a trainer."""
    return forecast(measuring_trainer(model, data, config, machine, ranks), memory)


def compiled_where_it_pays(trainer: Trainer, eager: Forecast, note: Tell) -> tuple[TrainConfig, Forecast]:
    """The trainer's recipe with `compile` decided, and what the training will take then.

    Args:
        trainer: one that only measures; its model is compiled, or is not.
        eager: what it takes as it is.

    Raises:
        InputError: it cannot be compiled, and has to be.
    """
    model, config, machine = trainer.model, trainer.config, trainer.machine
    code = compiling.Code(model, config, machine)
    if config.compile == "yes":
        compiling.refuse_if_impossible(model, machine.device)
    elif config.compile == "no" or not code.may_pay(eager.seconds):
        return config, eager
    if not code.is_kept:
        note("Compiling, once for a model of this shape: up to half a minute.")
    compiling.compile_blocks(model)
    try:
        trainer.gradients(0)  # compiles
    except compiling.Failed as failed:
        if config.compile == "yes":
            raise InputError(
                f"the model cannot be compiled here ({failed}): leave out --compile yes"
            ) from failed
        compiling.take_back(model)
        note(f"The model cannot be compiled here ({failed}), and is trained as it is.")
        return config, eager
    code.keep()
    expected = forecast(trainer, eager.memory)
    before, after = (1000 * each.seconds_per_step for each in (eager, expected))
    if config.compile == "auto" and after * compiling.MUST_WIN_BY > before:
        compiling.take_back(model)
        return config, eager
    note(f"Compiled: a step takes {after:.0f} ms instead of {before:.0f}.")
    return dataclasses.replace(config, compile="yes"), expected


def forecast_without_a_run(plan: Plan) -> Forecast:
    """The same of a plan."""
    with for_training(plan.machine.device):
        model = build(plan.model, plan.training, plan.machine)
        return forecast_of(model, plan.data, plan.training, plan.machine, plan.memory)
