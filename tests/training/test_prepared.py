"""A prepared folder as what is trained on: known again, refused where it is damaged, and kept as it was prepared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import InputError
from pellucid.training import prepare
from pellucid.training.prepared import find_prepared, keep_as_prepared, load_prepared
from pellucid.training.run_folder import RunFolder
from pellucid.training.settings import request
from pellucid.training.train import resume

Cli = Callable[..., Any]
Train = Callable[..., Any]


def test_a_folder_named_like_a_corpus(
    stories: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, train_tiny: Train
):
    monkeypatch.chdir(tmp_path)
    result = cli("prepare", stories, "--out", "lesson", "--tokenizer", "char")
    assert result.code == 0, result.err
    assert result.err.endswith("Next:  pellucid train ./lesson\n")
    again = cli("prepare", stories, "--out", "lesson", "--tokenizer", "char")
    assert "`pellucid train ./lesson`" in again.err
    assert find_prepared("lesson") is None  # as for `read`, it is the corpus
    assert find_prepared("./lesson") == find_prepared(["lesson/"]) == Path("lesson")
    run = train_tiny(tmp_path / "run", "./lesson").run
    assert run.config()["data"]["sources"] == [str((tmp_path / "lesson").resolve())]
    assert train_tiny(tmp_path / "corpus", "lesson").run.config()["data"]["name"] == "lesson"
    expected = run.model_path.read_bytes()
    shutil.rmtree(run.checkpoints.path(run.checkpoints.steps()[-1]))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resume(RunFolder(run.path))
    assert run.model_path.read_bytes() == expected


class Noted:
    """Text that was prepared, and what `keep_as_prepared` says of what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, load_prepared(folder)

    def __call__(self, preset: str = "auto", **settings: Any) -> tuple[Any, list[str]]:
        notes = list[str]()
        asked = request(preset, **settings)
        return keep_as_prepared(self.data, asked, self.folder, notes.append), notes


@pytest.fixture
def learned(stories: Path, tmp_path: Path) -> Noted:
    """Prepared with a BPE vocabulary that the text could not fill."""
    prepare.prepare(stories, tmp_path / "bpe", tokenizer="bpe", vocab_size=2000)
    noted = Noted(tmp_path / "bpe")
    assert noted.data.tokenizer.vocab_size < 2000
    return noted


def test_what_was_prepared_can_be_asked_for(learned: Noted):
    size = learned.data.tokenizer.vocab_size
    for settings in (
        {},
        {"tokenizer": "auto"},
        {"tokenizer": "bpe", "vocab_size": 2000, "dev_fraction": 0.05},
        {"vocab_size": size},
        {"tokenizer": str(learned.folder)},
    ):
        kept, notes = learned(**settings)
        assert notes == []
        assert (kept.dev_fraction, kept.text) == (0.05, {"tokenizer": "bpe", "vocab_size": size})


@pytest.mark.parametrize("preset", ["chars", "gutenberg-moe", "mini", "gpt2", "lesson", "bigram"])
def test_a_recipe_gives_way_to_what_was_prepared(preset: str, learned: Noted):
    kept, notes = learned(preset)
    assert kept.dev_fraction == 0.05
    assert kept.tokenizer == "bpe"
    assert kept.model == request(preset).model
    assert all("it is trained on so, whatever the recipe has" in note for note in notes)
    assert len(notes) <= 1
    if preset == "chars":
        assert "for tokenizer, dev_fraction" in notes[0]


def test_what_was_not_prepared_is_refused_by_name(learned: Noted, stories: Path, tmp_path: Path):
    prepare.prepare(stories, tmp_path / "other", tokenizer="char")
    for settings, flags in (
        ({"tokenizer": "wordpiece"}, "--tokenizer"),
        ({"tokenizer": str(tmp_path / "other")}, "--tokenizer"),
        ({"tokenizer": "bpe", "vocab_size": 300}, "--vocab-size"),
        ({"preset": "chars", "dev_fraction": 0.1}, "--dev-fraction"),
        ({"tokenizer": "char", "vocab_size": 300}, "--tokenizer and --vocab-size"),
    ):
        with pytest.raises(InputError, match=f": leave out {flags}, or prepare the text again"):
            learned(**settings)
    with pytest.raises(InputError, match="is no tokenizer"):
        learned(tokenizer="nope")


def test_asking_changes_nothing(learned: Noted):
    asked = request()
    keep_as_prepared(learned.data, asked, learned.folder, print)
    assert asked == request()


def test_damaged_and_mismatched_folders_are_refused(stories: Path, tmp_path: Path, train_tiny: Train):
    prepare.prepare(stories, tmp_path / "sound", tokenizer="char")

    def damaged(change: Callable[[Path], object], words: str) -> None:
        folder = Path(shutil.copytree(tmp_path / "sound", tmp_path / "damaged"))
        change(folder)
        with pytest.raises(InputError, match=words):
            train_tiny(tmp_path / "run", folder)
        shutil.rmtree(folder)

    def state(**values: Any) -> Callable[[Path], object]:
        def change(folder: Path) -> None:
            content = json.loads((folder / "prepared.json").read_text())
            (folder / "prepared.json").write_text(json.dumps({**content, **values}))

        return change

    damaged(lambda folder: (folder / "train.bin").write_bytes(b"12"), "has 2 bytes, not the")
    damaged(lambda folder: (folder / "dev.bin").unlink(), "cannot be read")
    damaged(lambda folder: (folder / "prepared.json").write_text("{"), "is damaged")
    damaged(lambda folder: (folder / "tokenizer.json").unlink(), "is no tokenizer")
    damaged(state(format=2), "update pellucid")
    for broken in ({"dtype": "|O"}, {"record": None}, {"record": {"tokens": []}}, {"dtype": ["<u2"]}):
        damaged(state(**broken), "is damaged")
    for settings, words in (
        ({"tokenizer": "bpe"}, "with a char tokenizer"),
        ({"vocab_size": 300}, "with a char tokenizer"),
        ({"dev_fraction": 0.2}, "--dev-fraction 0.05"),
    ):
        with pytest.raises(InputError, match=words):
            train_tiny(tmp_path / "run", tmp_path / "sound", **settings)
    with pytest.raises(InputError, match="is trained on alone"):
        train_tiny(tmp_path / "run", [tmp_path / "sound", stories])
