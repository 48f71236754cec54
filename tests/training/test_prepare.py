"""A prepared folder holds what reading and tokenising in memory gives, and trains to the same bits."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text import bigrams, streaming
from pellucid.text.bigrams import count_pairs
from pellucid.text.sources import read
from pellucid.text.tokenizers.tokenizer import build_tokenizer
from pellucid.training import encoding, evaluation, prepare
from pellucid.training.data import split_corpus, tokenise
from pellucid.training.evaluation import Evaluator
from pellucid.training.prepare import Stopped
from pellucid.training.prepared import load_prepared
from pellucid.training.run_folder import RunFolder
from pellucid.training.train import resume

Cli = Callable[..., Any]
Train = Callable[..., Any]
FILES = ("prepared.json", "tokenizer.json", "train.bin", "dev.bin", "validation.bin")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Every file is streamed, in many chunks and batches, and saved after each."""
    for name, value in {"LARGE": 0, "CHUNK": 700, "BLOCK": 999}.items():
        monkeypatch.setattr(streaming, name, value)
    monkeypatch.setattr(encoding, "BATCH", 500)
    monkeypatch.setattr(prepare, "SAVE_SECONDS", 0.0)
    return monkeypatch


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("tokenizer", ["char", "bpe", "auto"])
@pytest.mark.parametrize("kind", ["one", "many", "wide"])
def test_tokens_and_record_are_those_of_training_in_memory(
    kind: str,
    tokenizer: str,
    stories: Path,
    text_file: Path,
    tmp_path: Path,
    small_chunks: pytest.MonkeyPatch,
):
    source = text_file if kind == "one" else stories
    if kind == "wide":
        source = tmp_path / "wide.txt"
        source.write_bytes(
            stories.read_text(encoding="utf-8").replace("\n<|endoftext|>", "").encode("utf-16")
        )
    corpus = read(source)
    splits = split_corpus(corpus, 3, 0.1)
    built, _ = build_tokenizer(tokenizer, [document.text for document in splits.train])
    expected = tokenise(corpus, splits, built)
    prepare.prepare(source, tmp_path / "out", tokenizer=tokenizer, seed=3, dev_fraction=0.1)
    data = load_prepared(tmp_path / "out")
    assert data.record == expected.record
    assert data.tokenizer.fingerprint == built.fingerprint
    for part in ("train", "dev", "validation"):
        found = getattr(data, part)
        assert found.dtype == getattr(expected, part).dtype
        assert np.array_equal(found, getattr(expected, part))


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_training_gives_the_same_run_bit_for_bit(
    tokenizer: str, stories: Path, tmp_path: Path, train_tiny: Train, small_chunks: pytest.MonkeyPatch
):
    prepare.prepare(stories, tmp_path / "prepared", tokenizer=tokenizer)
    train_tiny(tmp_path / "a", stories, tokenizer=tokenizer, dropout=0.1)
    train_tiny(tmp_path / "b", str(tmp_path / "prepared"), dropout=0.1)
    a, b = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    assert a.model_path.read_bytes() == b.model_path.read_bytes()
    assert a.tokenizer_path.read_bytes() == b.tokenizer_path.read_bytes()
    losses = [[r.get("loss", r.get("dev_loss")) for r in run.metrics()] for run in (a, b)]
    assert losses[0] == losses[1]
    scores = [run.journal.of("finished")[-1]["validation_loss"] for run in (a, b)]
    assert scores[0] == scores[1]
    stored = [{**run.config()["data"], "sources": None} for run in (a, b)]
    assert stored[0] == stored[1]
    assert a.config()["training"] == b.config()["training"]


def test_a_run_is_resumed_from_its_prepared_folder_and_no_other(
    stories: Path, text_file: Path, tmp_path: Path, train_tiny: Train
):
    prepare.prepare(stories, tmp_path / "prepared", seed=5)
    prepare.prepare(text_file, tmp_path / "other")
    prepare.prepare(stories, tmp_path / "split", seed=6)
    run = train_tiny(tmp_path / "run", tmp_path / "prepared").run
    expected = run.model_path.read_bytes()
    shutil.rmtree(run.checkpoints.path(run.checkpoints.steps()[-1]))
    shutil.copytree(run.path, tmp_path / "from-text")
    for wrong in ("other", "split"):
        with pytest.raises(InputError, match="is not what"):
            resume(RunFolder(run.path), tmp_path / wrong)
    resume(RunFolder(run.path))
    assert run.model_path.read_bytes() == expected
    resume(RunFolder(tmp_path / "from-text"), stories)  # the split's seed is not the run's
    assert (tmp_path / "from-text" / "model.safetensors").read_bytes() == expected


def test_the_command_line(stories: Path, tmp_path: Path, cli: Cli, tiny: dict[str, Any]):
    result = cli("prepare", stories, "--out", tmp_path / "out", "--tokenizer", "char", "--json")
    assert result.code == 0
    assert f"Next:  pellucid train {tmp_path / 'out'}" in result.err
    assert json.loads(result.out)["documents"] == 60
    del tiny["sample_tokens"]
    flags = [part for name, value in tiny.items() for part in (f"--{name.replace('_', '-')}", value)]
    assert cli("train", tmp_path / "out", *flags, "--out", tmp_path / "run").code == 0
    evaluated = cli("eval", tmp_path / "run", stories)
    assert evaluated.code == 0
    assert "overlap with this text was not checked" in evaluated.err
    again = cli("prepare", stories, "--out", tmp_path / "out", "--tokenizer", "char")
    assert again.code == 2
    assert "is prepared already" in again.err
    before = contents(tmp_path / "out")
    assert cli("prepare", stories, "--out", tmp_path / "out", "--tokenizer", "char", "--overwrite").code == 0
    assert contents(tmp_path / "out") == before
    by_run = cli("prepare", stories, "--out", tmp_path / "by-run", "--tokenizer", tmp_path / "run")
    assert by_run.code == 0
    assert (tmp_path / "by-run" / "train.bin").read_bytes() == before["train.bin"]


class Trouble:
    """Fails in the encoding of the n-th batch, with what it is told."""

    def __init__(self, error: BaseException, after: int = 6) -> None:
        self.error, self.left, self.real = error, after, encoding._after

    def __call__(self, *arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.real(*arguments)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, "the same command goes on"),
        (OSError(errno.ENOSPC, "full"), Stopped, "free some space and give the same command again"),
    ],
)
def test_what_stops_it_says_how_to_go_on_and_it_goes_on(
    error: BaseException, kind: type[BaseException], words: str, stories: Path, tmp_path: Path,
    small_chunks: pytest.MonkeyPatch, train_tiny: Train,
):  # fmt: skip
    prepare.prepare(stories, tmp_path / "straight")
    with small_chunks.context() as patch:
        patch.setattr(encoding, "_after", Trouble(error))
        with pytest.raises(kind, match=words):
            prepare.prepare(stories, tmp_path / "out")
    stopped = json.loads((tmp_path / "out" / "progress.json").read_text())
    assert 0 < stopped["characters"] < len(stories.read_text(encoding="utf-8"))
    with pytest.raises(InputError, match="is not finished"):
        train_tiny(tmp_path / "run", tmp_path / "out")
    with pytest.raises(InputError, match="other settings \\(seed\\)"):
        prepare.prepare(stories, tmp_path / "out", seed=1)
    notes = list[str]()
    prepare.prepare(stories, tmp_path / "out", watcher=prepare.Watcher(notes.append))
    assert any(note.startswith("Going on after") for note in notes)
    assert contents(tmp_path / "out") == contents(tmp_path / "straight")


def test_killed_at_its_very_last_step(stories: Path, tmp_path: Path):
    state = prepare.prepare(stories, tmp_path / "out")
    (tmp_path / "out" / "progress.json").write_text("{}")
    before = contents(tmp_path / "out")
    assert prepare.prepare(stories, tmp_path / "out") == state
    assert not (tmp_path / "out" / "progress.json").exists()
    assert contents(tmp_path / "out") == before


def test_sources_that_changed_are_refused(stories: Path, tmp_path: Path, small_chunks: pytest.MonkeyPatch):
    with small_chunks.context() as patch:
        patch.setattr(encoding, "_after", Trouble(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(stories, tmp_path / "out")
    text, status = stories.read_text(encoding="utf-8"), stories.stat()
    stories.write_text(text + "More.\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"is not what it was .*stories\.txt"):
        prepare.prepare(stories, tmp_path / "out")
    stories.write_text(text.replace("moon", "noon", 1), encoding="utf-8")  # of the same size and time
    os.utime(stories, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(InputError, match="changed while it was read"):
        prepare.prepare(stories, tmp_path / "out")
    prepare.prepare(stories, tmp_path / "out", overwrite=True)
    assert load_prepared(tmp_path / "out").record["fingerprint"] == read(stories).fingerprint


def test_bad_requests(stories: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.bin").write_bytes(b"somebody's")
    for out, words in ((stories, "is a file"), (tmp_path / "mine", "holds other files")):
        with pytest.raises(InputError, match=words):
            prepare.prepare(stories, out, overwrite=True)
    finished = tmp_path / "finished"
    prepare.prepare(stories, finished, tokenizer="char")
    before, new = contents(finished), tmp_path / "new"
    for settings, words in (
        ({"dev_fraction": 0.7}, "dev-fraction"),
        ({"dev_fraction": float("nan")}, "dev-fraction"),
        ({"seed": -1}, "seed"),
        ({"tokenizer": "nope"}, "is no tokenizer"),
        ({"tokenizer": tmp_path / "none.json"}, "is no tokenizer"),
        ({"tokenizer": finished, "vocab_size": 300}, "leave out --vocab-size"),
        ({"tokenizer": "char", "vocab_size": 300}, "leave out --vocab-size"),
        ({"vocab_size": 10}, "256 bytes"),
        ({"vocab_size": 0}, "256 bytes"),
        ({"tokenizer": "bpe", "vocab_size": 10}, "256 bytes"),
        ({"tokenizer": "wordpiece", "vocab_size": 300}, "256 bytes"),
    ):
        with pytest.raises(InputError, match=words):
            prepare.prepare(stories, new, **settings)
        assert not new.exists()
        with pytest.raises(InputError, match=words):
            prepare.prepare(stories, finished, overwrite=True, **settings)
        assert contents(finished) == before
    with pytest.raises(InputError, match="does not exist"):
        prepare.prepare(tmp_path / "nothing.txt", new)
    assert not new.exists()


def test_a_bad_tokenizer_is_refused_before_the_text_is_read(
    stories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prepare, "take_inventory", lambda *_, **__: pytest.fail("the text was read"))
    for settings in ({"tokenizer": "nope"}, {"tokenizer": "char", "vocab_size": 300}, {"vocab_size": 10}):
        with pytest.raises(InputError):
            prepare.prepare(stories, tmp_path / "new", **settings)


def test_stopped_while_the_tokenizer_is_made_what_was_prepared_stays(
    stories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    prepare.prepare(stories, out, tokenizer="char")
    before = contents(out)

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "build_tokenizer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(stories, out, tokenizer="bpe", overwrite=True)
    assert contents(out) == before


def test_no_preparing_into_the_text(stories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    texts = tmp_path / "texts"
    texts.mkdir()
    shutil.copy(stories, texts)
    for source, out in ((texts, texts / "prep"), (texts, texts), ([stories, texts], texts / "a" / "b")):
        with pytest.raises(InputError, match="choose an --out outside of it"):
            prepare.prepare(source, out, overwrite=True)
    assert [path.name for path in texts.iterdir()] == [stories.name]
    monkeypatch.chdir(texts)
    with pytest.raises(InputError, match="choose an --out outside of it"):
        prepare.prepare(".", "prep")
    prepare.prepare(stories.name, "prep")  # a file is not a folder: nothing is read besides
    prepare.prepare(stories.name, "prep", overwrite=True)


def test_scores_are_the_same_however_little_is_looked_at_at_once(data: Any, monkeypatch: pytest.MonkeyPatch):
    evaluator, size = Evaluator(data.tokenizer, 16), data.tokenizer.vocab_size
    model = build_model(ModelConfig(size, context_length=16, n_layers=1, n_heads=1, d_model=8), "explicit")
    whole = evaluator.bigram_score(count_pairs(data.train, size), data.validation)
    scored = evaluator.score(model, data.validation, "cpu")
    monkeypatch.setattr(bigrams, "COUNTED_AT_ONCE", 37)
    monkeypatch.setattr(evaluation, "WINDOWED_AT_ONCE", 100)
    monkeypatch.setattr(evaluation, "TOKENS_AT_ONCE_ON_CPU", 32)
    for again, first in (
        (evaluator.bigram_score(count_pairs(data.train, size), data.validation), whole),
        (evaluator.score(model, data.validation, "cpu"), scored),
    ):
        assert again == dataclasses.replace(first, loss=pytest.approx(first.loss, rel=1e-6))
    monkeypatch.setattr(bigrams, "MOST_COUNTED", 500)
    first = evaluator.bigram_score(count_pairs(data.train[:500], size), data.validation)
    assert evaluator.bigram_score(count_pairs(data.train, size), data.validation) == first


def test_characters_that_a_given_tokenizer_lacks_are_named_also_where_it_went_on(
    text_file: Path, tmp_path: Path, small_chunks: pytest.MonkeyPatch
):
    known = tmp_path / "known"
    prepare.prepare(text_file, known, tokenizer="char")
    other = tmp_path / "other.txt"
    other.write_text("é" + text_file.read_text() + "→\u200b→", encoding="utf-8")
    notes: list[str] = []

    def stop_half_way(what: str, done: int, total: int) -> None:
        if what == "encoding" and total / 2 < done < total:
            raise KeyboardInterrupt

    for watch in (stop_half_way, lambda *_: None):
        watcher = prepare.Watcher(notes.append, watch)
        with contextlib.suppress(KeyboardInterrupt):
            prepare.prepare(other, tmp_path / "out", tokenizer=known, watcher=watcher)
    assert any(note.startswith("Going on after") for note in notes)
    expected = "4 characters are unknown to the tokenizer ('é', '→', U+200B) and become one unknown token."
    assert notes[-1] == expected
