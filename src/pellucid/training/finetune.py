"""A model learns on: replies in a chat, or more text. What `pellucid finetune` and `pellucid.finetune` do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.model.accounting import n_params
from pellucid.model.config import ModelConfig
from pellucid.model.lora import Adapters
from pellucid.model.transformer import LanguageModel
from pellucid.text.sources import read
from pellucid.text.template import Template, template_of
from pellucid.text.wording import duration, plural, size
from pellucid.training.base import Base, choose_adapters, open_shared_base, put_adapters
from pellucid.training.config import TrainConfig
from pellucid.training.conversations import (
    LONGEST_ROW,
    ChatOptions,
    Sources,
    are_chats,
    read_conversations,
    reply_data,
    with_mix,
)
from pellucid.training.data import TrainingData, split_corpus, tokenise
from pellucid.training.distributed import processes
from pellucid.training.forecast import Forecast, check_memory
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine, for_training
from pellucid.training.observer import Observer
from pellucid.training.plan import (
    build,
    choose_machine,
    count_unknown,
    forecast_of,
    refuse_at_once,
    share_out,
)
from pellucid.training.ranks import ALONE, Ranks
from pellucid.training.replies import ReplyData
from pellucid.training.report import Outcome, step_text, token_counts
from pellucid.training.run_folder import RunFolder, check_out
from pellucid.training.settings import Request, request
from pellucid.training.stages import carry_out, check_same, heard_by, new_run, with_evaluations
from pellucid.training.tracking import Sinks, tracked
from pellucid.training.weights import load_weights

KEPT = ("dropout",)  # settings of a model that a fine-tuning may change
# Beside adapters small models also take and need more: at 1e-3 the dev loss of answers falls to 1.29 instead of 1.45
# with 128 channels, and to 1.28 instead of 1.34 with 256 (docs/LOG.md).
LORA_RATE = SMALL_RATE = 1e-3
SMALL_WIDTH = 256  # channels up to which a model is small
FLOOR = 0.1  # of the rate, where its fall ends


@dataclasses.dataclass(frozen=True)
class LoRA:
    """The adapters asked for; what is None is chosen.

    Attributes:
        rank: columns of each adapter, from 1 to 1024; 8 unless given.
        alpha: an adapter's output is multiplied by alpha / rank; twice the rank unless given.
        targets: "attention", "feedforward", "all", or names such as q_proj with commas between; all unless given.
    """

    rank: int | None = None
    alpha: float | None = None
    targets: str | None = None


def finetune(
    base: RunFolder | str | Path | None,
    sources: Sources,
    *,
    chats: ChatOptions | None = None,
    lora: LoRA | None = None,
    mix: float | None = None,
    out: str | Path | None = None,
    preset: str = "chat",
    config: str | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
    sinks: Sinks = (),
    track_dir: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Let a model learn how someone answers in chats, or go on with plain text; leaves a run folder of its own.

    Args:
        base: the run to start from, by path or name; None is the latest. It is left as it is.
        sources: exports of chats, JSON lines of messages, or text as `train` takes it.
        chats: how chats are read, and who in them the model becomes.
        lora: train adapters beside the frozen weights; None trains all weights.
        mix: share of the learned tokens that are text of the base's own training; None is a tenth where that is
            still there.
        sinks, track_dir: as of `train`.
        settings: fields of TrainConfig, and dropout.

    Raises:
        InputError: a setting or a source is wrong, or the model cannot learn it; nothing is left behind.
        Interrupted, Diverged, OutOfMemory, OSError: see `Trainer.train`; the run can be resumed.
        PeerLost: of several processes (see docs/scaling.md) another one failed.
    """
    with processes() as ranks, tracked(heard_by(observer, ranks), sinks, ranks, track_dir) as observer:
        asked = request(preset, config, **settings)
        refuse_at_once(asked, None)
        if out is not None and ranks.is_first:
            check_out(out, overwrite)
        plan = _plan(base, sources, chats or ChatOptions(), lora, mix, asked, observer, ranks)
        check_same(ranks, plan.data)
        with (
            new_run(out, plan.data.record["name"], overwrite, ranks) as run,
            for_training(plan.machine.device),
        ):
            trainer, adapters = _trainer(plan, run, observer, ranks)
            return carry_out(trainer, sources, _more(plan.base, plan.data, adapters))


def _trainer(
    plan: _Plan, run: RunFolder, observer: Observer, ranks: Ranks
) -> tuple[Trainer, Adapters | None]:
    """What carries the plan out, with a forecast told, and its adapters."""
    data, machine = plan.data, plan.machine
    model, adapters = plan.build()
    sizes = _sizes(model)
    share_out(model, plan.training, machine, ranks, adapters is not None)
    expected = forecast_of(model, data, plan.training, machine, plan.memory, ranks)
    observer.note(_forecast_text(Outlook(expected, *sizes, plan.base.run.name)))
    config = with_evaluations(plan.training, expected, data)
    return Trainer(run, model, data, config, machine, expected.steps, observer, ranks), adapters


@dataclasses.dataclass(frozen=True)
class Outlook:
    """What a fine-tuning will take: the forecast, parameters in all and of those that are trained, and its base."""

    forecast: Forecast
    n_params: int
    n_trained: int
    base: str


def outlook(
    base: RunFolder | str | Path | None,
    sources: Sources,
    *,
    chats: ChatOptions | None = None,
    lora: LoRA | None = None,
    preset: str = "chat",
    config: str | None = None,
    **settings: Any,
) -> Outlook:
    """What `finetune` with the same arguments would take, measured; nothing is written.

    Raises:
        InputError: as `finetune`, but not for too few replies.
    """
    asked = request(preset, config, **settings)
    refuse_at_once(asked, None)
    options = dataclasses.replace(chats or ChatOptions(), anyway=True)
    # the text that is mixed in takes time to read and changes nothing of what is told
    plan = _plan(base, sources, options, lora, 0.0, asked, Observer())
    with for_training(plan.machine.device):
        model, _ = plan.build()
        expected = forecast_of(model, plan.data, plan.training, plan.machine, plan.memory)
        return Outlook(expected, *_sizes(model), plan.base.run.name)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """All that is decided before there is a run; `memory` is in bytes."""

    base: Base
    model: ModelConfig
    data: TrainingData | ReplyData
    training: TrainConfig
    machine: Machine
    memory: int
    lora: LoRA | None

    def build(self) -> tuple[LanguageModel, Adapters | None]:
        """The model with the weights of its base, and the adapters that were added to it."""
        model = build(self.model, self.training, self.machine)
        load_weights(model, self.base.run.model_path)
        if self.lora is None:
            return model, None
        adapters = choose_adapters(self.lora.rank, self.lora.alpha, self.lora.targets, model)
        put_adapters(model, adapters, self.training.seed)
        return model, adapters


def _plan(
    base: RunFolder | str | Path | None,
    sources: Sources,
    chats: ChatOptions,
    lora: LoRA | None,
    mix: float | None,
    asked: Request,
    observer: Observer,
    ranks: Ranks = ALONE,
) -> _Plan:
    start = open_shared_base(base, ranks)
    _refuse_another_shape(asked, start)
    model = dataclasses.replace(start.model, **asked.model)
    machine = choose_machine(asked, ranks)
    observer.note(f"Machine: {machine.describe()}.")
    with ranks.in_turn():
        data, training = _data(start, sources, chats, mix, asked, machine, lora is not None, observer)
    training.share_of(machine.processes)
    memory = check_memory(model, training, machine.memory, lora is not None, machine.processes)
    return _Plan(start, model, data, training, machine, memory, lora)


def _sizes(model: LanguageModel) -> tuple[int, int]:
    """Parameters of the model, and those that are trained."""
    n_trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    whole = n_params(model.config)
    return whole, min(n_trained, whole)


def _refuse_another_shape(asked: Request, base: Base) -> None:
    if wrong := sorted((asked.model.keys() - set(KEPT)) | asked.text.keys()):
        flag = wrong[0].replace("_", "-")
        raise InputError(
            f"{base.run.name} keeps its shape and its tokenizer when it learns on: leave --{flag} out"
        )


def _data(
    base: Base,
    sources: Sources,
    options: ChatOptions,
    mix: float | None,
    asked: Request,
    machine: Machine,
    with_adapters: bool,
    observer: Observer,
) -> tuple[TrainingData | ReplyData, TrainConfig]:
    """What there is to learn, and the recipe for it."""
    config = _recipe(asked, machine, with_adapters, base.model.d_model)
    if not are_chats(sources, options):
        if options.as_name is not None or mix:
            flag = "--as" if options.as_name is not None else "--mix"
            raise InputError(
                f"{flag} is for chats, and this is text: leave it out, or say with --format what it is"
            )
        data = _text(base, sources, asked, observer)
        window = config.window or min(base.model.context_length, LONGEST_ROW)
        return data, dataclasses.replace(config, window=window)
    template = _template(base)
    examples = read_conversations(sources, options, observer.note)
    data = reply_data(
        template, examples, sources, options, config.window, base.model.context_length, observer.note
    )
    n_learned = sum(one.n_learned for one in data.train)
    observer.note(
        f"Examples: {plural(examples.n_replies, 'reply', 'replies')}; {n_learned:,} tokens to learn of "
        f"{data.record['tokens']['train']:,} that are read, in rows of up to {data.length:,}."
    )
    return (
        with_mix(data, base.run, base.stored, mix, observer.note),
        dataclasses.replace(config, window=data.length),
    )


def _recipe(asked: Request, machine: Machine, with_adapters: bool, d_model: int) -> TrainConfig:
    training = {**asked.training, "device": machine.device, "precision": machine.precision}
    decided = asked.given | asked.in_file
    if "lr" not in decided and asked.preset == "chat" and (with_adapters or d_model <= SMALL_WIDTH):
        training["lr"] = LORA_RATE if with_adapters else SMALL_RATE
    rate = training.get("lr", TrainConfig.lr)
    if "min_lr" not in decided:
        training["min_lr"] = FLOOR * rate
    if with_adapters:
        if "optimizer" in decided and training["optimizer"] != "adamw":
            raise InputError(
                f"adapters are trained with adamw, not {training['optimizer']}: leave --optimizer or --lora out"
            )
        training["optimizer"] = "adamw"
    return TrainConfig(**training)


def _template(base: Base) -> Template:
    kind = base.stored.get("template")
    return Template(kind, base.tokenizer) if kind else template_of(base.tokenizer)


def _text(base: Base, sources: Sources, asked: Request, observer: Observer) -> TrainingData:
    corpus = read(sources, progress=observer.note)
    for line in corpus.notes:
        observer.note(line)
    data = tokenise(corpus, split_corpus(corpus, asked.seed, asked.dev_fraction), base.tokenizer)
    observer.note(f"Text, learned without a mask: {token_counts(data)}.")
    if unknown := count_unknown(data):
        observer.note(f"{unknown:,} characters are unknown to the tokenizer and become one unknown token.")
    return data


def _more(base: Base, data: TrainingData | ReplyData, adapters: Adapters | None) -> dict[str, Any]:
    """What config.json says besides what it says of every run."""
    more: dict[str, Any] = {"base": base.record()}
    if adapters:
        more["adapter"] = dataclasses.asdict(adapters) | {"targets": list(adapters.targets)}
    if isinstance(data, ReplyData):
        more["template"] = data.template.kind
        more["trained_on_private"] = True
    else:
        more |= {
            name: base.stored[name] for name in ("template", "trained_on_private") if name in base.stored
        }
    return more


def _forecast_text(found: Outlook) -> str:
    """One paragraph: what is about to happen."""
    expected, some = found.forecast, f"; {found.n_trained:,} in adapters are trained"
    trained = ", all of them trained" if found.n_trained == found.n_params else some
    return (
        f"Forecast: {found.n_params:,} parameters{trained}; about {size(expected.memory)} of memory; "
        f"{expected.steps:,} steps of {step_text(expected)}, about {duration(expected.seconds)}; "
        f"{expected.tokens:,} tokens, {expected.epochs:.1f} times through."
    )
