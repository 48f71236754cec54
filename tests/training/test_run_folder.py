"""A folder that a run is put into, and what is left of it when the run never begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pellucid.errors import InputError
from pellucid.training.files import lock
from pellucid.training.run_folder import RunFolder, create_run


def test_a_text_that_came_with_the_page_may_lie_there_already(tmp_path: Path):
    text = tmp_path / "run" / "uploaded" / "book.txt"
    text.parent.mkdir(parents=True)
    text.write_text("words")
    run = create_run(tmp_path / "run", "book")
    run.tokenizer_path.write_text("{}")
    run.discard_if_not_begun()
    assert [path.name for path in run.path.iterdir()] == ["uploaded"]
    assert text.read_text() == "words"


def test_anything_else_is_not_trained_over(tmp_path: Path):
    (tmp_path / "run" / "uploaded").mkdir(parents=True)
    (tmp_path / "run" / "thesis.txt").touch()
    with pytest.raises(InputError, match="holds other files"):
        create_run(tmp_path / "run", "book")


def test_in_use_means_that_another_holds_it(tmp_path: Path):
    run = create_run(tmp_path / "run", "book")
    assert not run.in_use, "not another"
    assert RunFolder(run.path).in_use
    with pytest.raises(InputError, match="in use by another training"):
        RunFolder(run.path).lock()
    run.unlock()
    assert not RunFolder(run.path).in_use
    assert not RunFolder(tmp_path / "nothing").in_use


def test_who_asks_takes_nobody_else_who_asks_for_a_training(tmp_path: Path):
    if os.name == "nt":
        pytest.skip("locks cannot be shared here")
    with lock(tmp_path, "training", asking=True):
        assert not RunFolder(tmp_path).in_use
