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
from pellucid.training import report
from pellucid.training.base import find_base, start_from_base
from pellucid.training.config import BUDGETS, TrainConfig
from pellucid.training.control import Control
from pellucid.training.conversations import known_replies
from pellucid.training.data import TrainingData, own_sources, split_corpus, tokenise
from pellucid.training.loop import Trainer
from pellucid.training.machine import deterministic, probe
from pellucid.training.observer import Observer
from pellucid.training.plan import (
    build,
    choose_machine,
    forecast_of,
    make_plan,
    prepare_data,
    refuse_at_once,
)
from pellucid.training.prepared import find_prepared, keep_as_prepared, load_prepared
from pellucid.training.replies import ReplyData
from pellucid.training.report import Outcome
from pellucid.training.run_folder import UPLOADED, RunFolder, check_out
from pellucid.training.settings import Request, request
from pellucid.training.stages import (
    Sources,
    carry_out,
    extend,
    finish,
    new_run,
    pair_counts,
    restore,
    with_evaluations,
)


def train(
    sources: Sources,
    *,
    out: str | Path | None = None,
    preset: str = "auto",
    config: str | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
    corpus: Corpus | None = None,
    **settings: Any,
) -> Outcome:
    """Train a model on text and leave a run folder.

    Args:
        sources: files, folders, globs, URLs or named corpora; or one folder made by `pellucid prepare`.
        out: the run folder; default the next free `runs/<name>-<n>`.
        preset: "auto" or the name of a recipe.
        config: a recipe file laid over the preset.
        corpus: the text of `sources`, where it has been read already.
        settings: fields of ModelConfig and TrainConfig, `tokenizer` and `vocab_size`.

    Raises:
        InputError: a setting or source is wrong; nothing is left behind.
        Interrupted, Diverged, OutOfMemory, OSError: see `Trainer.train`; the run can be resumed.
    """
    observer = observer or Observer()
    asked = request(preset, config, **settings)
    refuse_at_once(asked, None if corpus else sources)
    if out is not None:
        check_out(out, overwrite)
    machine = choose_machine(asked)
    observer.note(f"Machine: {machine.describe()}.")
    data, asked = _data(sources, corpus, asked, observer)
    plan = make_plan(data, asked, machine, observer.note)
    model_config, train_config = plan.model, plan.training

    with new_run(out, data.record["name"], overwrite) as run, deterministic(machine.device):
        model = build(model_config, train_config, machine)
        expected = forecast_of(model, data, train_config, machine, plan.memory)
        observer.note(report.forecast_text(model_config, data, expected))
        train_config = with_evaluations(train_config, expected, data)
        trainer = Trainer(run, model, data, train_config, machine, expected.steps, observer)
        return carry_out(trainer, sources)


def resume(
    run: RunFolder, sources: Sources | None = None, observer: Observer | None = None, **settings: Any
) -> Outcome:
    """Go on with a run from its newest sound checkpoint, to the same bits as if it had never stopped.

    Args:
        run: the run folder, not locked.
        sources: its text, if that is no longer where it was.
        settings: a new budget, in whole (say `steps`), or `accumulate`, for a machine with less memory;
            anything else must be what the run has.

    Raises:
        InputError: the text or a setting differs from the run's, or no checkpoint can be trusted.
    """
    observer = observer or Observer()
    stored = run.config()
    if "imported" in stored:
        raise InputError(f"{run.path} was imported: there is no training to go on with")
    model_config, before = (
        ModelConfig.from_dict(stored["model"]),
        TrainConfig.from_dict(stored["training"]),
    )
    train_config = _with_changes(before, settings)
    _refuse_changes(settings, stored)
    run.lock()
    control = Control(run)
    try:
        control.clear()  # of a training that was killed
        data = known_data(run, stored, sources, observer)
        if isinstance(data, TrainingData):
            pair_counts(run, data)
        machine = probe(train_config.device, train_config.precision, stored["machine"]["threads"])
        with deterministic(machine.device):
            model = build(model_config, train_config, machine)
            if "base" in stored:
                start_from_base(model, run, stored, train_config.seed)
            trainer = Trainer(run, model, data, train_config, machine, 1, observer)
            restore(trainer, observer)
            if train_config.budget != before.budget:
                extend(trainer, train_config)
            if train_config != before:
                run.write_config({**stored, "training": train_config.to_dict()})
            trainer.train()
            return finish(trainer)
    finally:
        control.clear()
        run.unlock()


# ---------------------------------------------------------------------- steps of starting


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
    changes = {
        name: settings[name] for name in (*BUDGETS, "accumulate") if settings.get(name) not in (None, 0)
    }
    if any(name in changes for name in BUDGETS):
        changes = {**dict.fromkeys(BUDGETS, 0), **changes}
    return dataclasses.replace(config, **changes)


def _refuse_changes(settings: dict[str, Any], stored: dict[str, Any]) -> None:
    known = {
        **TrainConfig.from_dict(stored["training"]).to_dict(),
        **ModelConfig.from_dict(stored["model"]).to_dict(),
    }
    for name, value in settings.items():
        if value is None or value == "auto" or (name in (*BUDGETS, "accumulate") and value):
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
    tokenizer = load_tokenizer(run.tokenizer_path)
    if tokenizer.fingerprint != known["tokenizer"]["fingerprint"]:
        raise InputError(
            f"{run.tokenizer_path} is not the tokenizer the run was trained with: the run is damaged"
        )
    splits = known["splits"]
    return tokenise(corpus, split_corpus(corpus, splits["seed"], splits["dev_fraction"]), tokenizer)
