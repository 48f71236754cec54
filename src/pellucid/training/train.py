"""A whole training, from sources to a scored run: what `pellucid train` and `pellucid.train` do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.text.documents import Corpus
from pellucid.text.sources import read
from pellucid.text.tokenizers.tokenizer import KINDS, load_tokenizer
from pellucid.training import compiling, own_code, report
from pellucid.training.base import find_base, start_from_base
from pellucid.training.config import BUDGETS, TrainConfig
from pellucid.training.data import TrainingData, own_sources, split_corpus, tokenise
from pellucid.training.distributed import processes
from pellucid.training.elsewhere import find_shared
from pellucid.training.loop import Trainer
from pellucid.training.machine import for_training
from pellucid.training.observer import Observer
from pellucid.training.plan import (
    Plan,
    build,
    choose_machine,
    compiled_where_it_pays,
    forecast,
    make_plan,
    measuring_trainer,
    prepare_data,
    refuse_at_once,
    share_out,
    shared_probe,
)
from pellucid.training.prepared import find_prepared, keep_as_prepared, load_prepared
from pellucid.training.ranks import Ranks
from pellucid.training.replies import ReplyData
from pellucid.training.report import Outcome
from pellucid.training.run_folder import UPLOADED, RunFolder, check_out
from pellucid.training.settings import Request, request
from pellucid.training.stages import (
    Sources,
    carry_out,
    check_same,
    extend,
    finish,
    going_on,
    heard_by,
    new_run,
    pair_counts,
    restore,
    with_evaluations,
)
from pellucid.training.tracking import Sinks, tracked

CHANGEABLE = (*BUDGETS, "accumulate", "shard")  # of a recipe, on resuming


def train(
    sources: Sources,
    *,
    out: str | Path | None = None,
    preset: str = "auto",
    config: str | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
    sinks: Sinks = (),
    track_dir: str | Path | None = None,
    corpus: Corpus | None = None,
    **settings: Any,
) -> Outcome:
    """Train a model on text and leave a run folder.

    Args:
        sources: files, folders, globs, URLs or named corpora; or one folder made by `pellucid prepare`.
        out: the run folder; default the next free `runs/<name>-<n>`.
        preset: "auto" or the name of a recipe.
        config: a recipe file laid over the preset.
        sinks: "tensorboard", "wandb", "trackio", or what has log(values, step) and close(): see tracking.py.
        track_dir: where a tracker writes; default a folder of its name in the run.
        corpus: the text of `sources`, where it has been read already.
        settings: fields of ModelConfig and TrainConfig, `tokenizer` and `vocab_size`.

    Raises:
        InputError: a setting or source is wrong; nothing is left behind.
        Interrupted, Diverged, OutOfMemory, OSError: see `Trainer.train`; the run can be resumed.
        PeerLost: of several processes (see docs/scaling.md) another one failed.
    """
    with processes() as ranks, tracked(heard_by(observer, ranks), sinks, ranks, track_dir) as observer:
        asked = request(preset, config, **settings)
        refuse_at_once(asked, None if corpus else sources)
        if out is not None and ranks.is_first:
            check_out(out, overwrite)
        machine = choose_machine(asked, ranks)
        observer.note(f"Machine: {machine.describe()}.")
        with ranks.in_turn():
            data, asked = _data(sources, corpus, asked, observer)
        check_same(ranks, data)
        plan = make_plan(data, asked, machine, observer.note)
        with new_run(out, data.record["name"], overwrite, ranks) as run, for_training(machine.device):
            return carry_out(_trainer(plan, run, observer, ranks), sources)


def resume(
    run: RunFolder | str | Path | None,
    sources: Sources | None = None,
    observer: Observer | None = None,
    sinks: Sinks = (),
    track_dir: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Go on with a run from its newest sound checkpoint, to the same bits as if it had never stopped.

    Args:
        run: the run folder, not locked, or its name or path; None is the latest.
        sources: its text, if that is no longer where it was.
        sinks, track_dir: as of `train`; they go on with the series they have of the run.
        settings: a new budget, in whole (say `steps`), or `accumulate` or `shard`, for machines with less memory;
            anything else must be what the run has.

    Raises:
        InputError: the text or a setting differs from the run's, or no checkpoint can be trusted.
        Others: as `train`.
    """
    with processes() as ranks, tracked(heard_by(observer, ranks), sinks, ranks, track_dir) as heard:
        return _resume(find_shared(ranks, run), sources, heard, settings, ranks)


def _resume(
    run: RunFolder, sources: Sources | None, observer: Observer, settings: dict[str, Any], ranks: Ranks
) -> Outcome:
    stored = run.config()
    if "imported" in stored:
        raise InputError(f"{run.path} was imported: there is no training to go on with")
    model_config, before = (
        ModelConfig.from_dict(stored["model"]),
        TrainConfig.from_dict(stored["training"]),
    )
    own_code.take_up(run, model_config, ranks=ranks)
    train_config = _with_changes(before, settings)
    _refuse_changes(settings, stored)
    with going_on(run, ranks):
        with ranks.in_turn():
            data = known_data(run, stored, sources, observer)
        check_same(ranks, data)
        if isinstance(data, TrainingData) and ranks.is_first:
            pair_counts(run, data)
        kind = train_config.device, train_config.precision
        machine = shared_probe(ranks, *kind, stored["machine"]["threads"])
        train_config.share_of(machine.processes)
        with for_training(machine.device):
            model = build(model_config, train_config, machine)
            if "base" in stored:
                start_from_base(model, run, stored, train_config.seed)
            share_out(model, train_config, machine, ranks, "adapter" in stored)
            if train_config.compile == "yes":
                compiling.refuse_if_impossible(model, machine.device)
                compiling.compile_blocks(model)
            trainer = Trainer(run, model, data, train_config, machine, 1, observer, ranks)
            restore(trainer, observer)
            if train_config.budget != before.budget:
                extend(trainer, train_config)
            if train_config != before:
                run.write_config({**stored, "training": train_config.to_dict()})
            trainer.train()
            return finish(trainer)


# ---------------------------------------------------------------------- steps of starting


def _trainer(plan: Plan, run: RunFolder, observer: Observer, ranks: Ranks) -> Trainer:
    """What carries the plan out, with a forecast told."""
    data, machine = plan.data, plan.machine
    model = build(plan.model, plan.training, machine)
    share_out(model, plan.training, machine, ranks)
    measuring = measuring_trainer(model, data, plan.training, machine, ranks)
    config, expected = compiled_where_it_pays(measuring, forecast(measuring, plan.memory), observer.note)
    observer.note(report.forecast_text(plan.model, data, expected))
    config = with_evaluations(config, expected, data)
    return Trainer(run, model, data, config, machine, expected.steps, observer, ranks)


def _data(
    sources: Sources, corpus: Corpus | None, asked: Request, observer: Observer
) -> tuple[TrainingData, Request]:
    """The text in tokens, and what is asked for, with what was decided of it when it was prepared."""
    prepared = None if corpus else find_prepared(sources)
    if prepared is None:
        corpus = corpus or read(sources, progress=observer.note)
        return prepare_data(corpus, asked, note=observer.note, progress=observer.note)[0], asked
    data = load_prepared(prepared)
    asked = keep_as_prepared(data, asked, prepared, observer.note)
    observer.note(
        f"Tokens: from {prepared}, {data.tokenizer.kind} with {data.tokenizer.n_symbols:,} symbols; "
        f"{report.token_counts(data)}."
    )
    return data, asked


# ---------------------------------------------------------------------- steps of resuming


def _with_changes(config: TrainConfig, settings: dict[str, Any]) -> TrainConfig:
    """The run's recipe with what a resume may change of it."""
    changes = {name: settings[name] for name in CHANGEABLE if settings.get(name) not in (None, 0)}
    if any(name in changes for name in BUDGETS):
        changes = {**dict.fromkeys(BUDGETS, 0), **changes}
    return dataclasses.replace(config, **changes)


def _refuse_changes(settings: dict[str, Any], stored: dict[str, Any]) -> None:
    known = {
        **TrainConfig.from_dict(stored["training"]).to_dict(),
        **ModelConfig.from_dict(stored["model"]).to_dict(),
    }
    for name, value in settings.items():
        if value is None or value == "auto" or (name in CHANGEABLE and value):
            continue
        if name == "tokenizer":
            known[name] = stored["data"]["tokenizer"]["kind"]
            if value not in KINDS:
                same = load_tokenizer(value).fingerprint == stored["data"]["tokenizer"]["fingerprint"]
                value = known[name] if same else value
        if name not in known:
            raise InputError(f"there is no setting {name!r} to resume a run with: leave it out")
        if value != known[name]:
            raise InputError(
                f"the run was started with {name} {known[name]!r}, not {value!r}: a resumed run keeps its settings; "
                "leave the flag out, or start a new run"
            )


def known_data(
    run: RunFolder, stored: dict[str, Any], sources: Sources | None, observer: Observer
) -> TrainingData | ReplyData:
    """The run's own text, or chats, and tokenizer, or an InputError."""
    known = stored["data"]
    if "chats" in known:
        # what reads chats takes a quarter of a second to load, which a training on text need not wait for
        from pellucid.training.conversations import known_replies

        return known_replies(run, stored, lambda: find_base(run, stored), sources, observer.note)
    text = sources or own_sources(known["sources"], run.path / UPLOADED)
    if prepared := find_prepared(text):
        data = load_prepared(prepared)
        if any(
            data.record[name] != known.get(name) for name in ("fingerprint", "splits", "tokens", "tokenizer")
        ):
            raise InputError(
                f"{prepared} is not what {run.path} was trained on: a run can only be resumed on the same text, split "
                "and tokenised in the same way; restore it, or start a new run"
            )
        return data
    corpus = read(text, progress=observer.note)
    if corpus.fingerprint != known["fingerprint"]:
        raise InputError(
            f"the text is not what {run.path} was trained on: a run can only be resumed on the same text; "
            "restore it, or start a new run"
        )
    tokenizer = run.tokenizer()
    if tokenizer.fingerprint != known["tokenizer"]["fingerprint"]:
        raise InputError(
            f"{run.tokenizer_path} is not the tokenizer the run was trained with: the run is damaged"
        )
    splits = known["splits"]
    return tokenise(corpus, split_corpus(corpus, splits["seed"], splits["dev_fraction"]), tokenizer)
