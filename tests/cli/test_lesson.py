"""`pellucid lesson`: a skeleton is written and never written over, and what is right is told piece by piece."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lesson_solution import BODIES, solved, written

from pellucid.cli import lesson

Cli = Callable[..., Any]


def test_a_new_lesson_names_its_first_piece(cli: Cli, here: Path):
    result = cli("lesson", "new", "mine")
    assert result.code == 0 and "Next:  pellucid lesson check mine" in result.err
    assert {path.name for path in (here / "mine").iterdir()} == {
        "model.py", "test_parts.py", "test_model.py", "README.md",
    }  # fmt: skip
    result = cli("lesson", "check", "mine")
    assert result.code == 1
    assert result.out.splitlines()[0] == " 1  not yet  embed and head: index the table with the ids"
    assert "To write next: 1 embed and head" in result.err
    assert "Next:  pellucid lesson check mine" in result.err
    assert cli("lesson", "new", "mine").code == 2


def test_what_is_wrong_comes_before_what_is_not_written(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
):
    cli("lesson", "new", "mine")
    bodies = {"causal_mask": BODIES["causal_mask"].replace(".tril()", ".triu()")}
    (here / "mine" / "model.py").write_text(written(bodies), encoding="utf-8")
    monkeypatch.chdir(here / "mine")
    result = cli("lesson", "check")  # the current folder
    assert result.code == 1
    assert (
        " 2  WRONG    causal_mask\n             causal_mask(5)[0, 1] is True; expected False." in result.out
    )
    assert "the mask is the wrong way round" in " ".join(result.out.split())
    assert "To mend: 2 causal_mask" in result.err and "(once it is mended)" in result.err
    found = json.loads(cli("lesson", "check", "--json").out)
    assert found["next"] == 2 and [piece["number"] for piece in found["pieces"]] == list(range(1, 15))


def test_a_solved_lesson_exits_with_0_and_names_the_doctor(cli: Cli, here: Path):
    cli("lesson", "new", "mine")
    without_stretch = {name: body for name, body in BODIES.items() if name != "repeat_heads"}
    (here / "mine" / "model.py").write_text(written(without_stretch), encoding="utf-8")
    result = cli("lesson", "check", "mine")
    assert result.code == 0 and "All is right" in result.err
    assert "pellucid doctor mine/model.py:Model" in result.err.replace("\\", "/")
    assert " 5  not yet  stretch" in result.out


def test_the_solved_file_trains_on_a_text_and_writes(here: Path, farm: Path):
    (here / "model.py").write_text(solved().replace("range(10)", "range(2)"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "model.py", "farm.txt"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    losses = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("loss ")]
    assert done.returncode == 0 and losses[1] < losses[0] < 3, done.stderr
    assert "The " in done.stdout


def test_notebooks_are_listed_by_their_first_heading(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch):
    cell = {"cell_type": "markdown", "source": ["text\n", "# What attention does\n"]}
    (here / "02-attention.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    (here / "03-empty.ipynb").write_text("damaged", encoding="utf-8")
    monkeypatch.setattr(lesson, "NOTEBOOKS", here)
    result = cli("lesson", "--json")
    assert result.code == 0 and "Next:  pellucid lesson new" in result.err
    titles = [notebook["title"] for notebook in json.loads(result.out.splitlines()[-1])["notebooks"]]
    assert titles == ["What attention does", "03-empty"]
    assert "02-attention.ipynb  What attention does" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new"], "name one, as `pellucid lesson new my-model`"),
        (["check", "nowhere"], "has no model.py: `pellucid lesson new FOLDER`"),
        (["check"], "has no model.py"),
        (["solve"], "invalid choice"),
    ],
)
def test_bad_arguments_exit_with_2(cli: Cli, arguments: list[str], words: str):
    result = cli("lesson", *arguments)
    assert result.code == 2 and words in result.err and not result.out
