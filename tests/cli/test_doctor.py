"""`pellucid doctor` with a model: a file, a run or a preset is examined, and the exit code says whether it is well."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import strangers

Cli = Callable[..., Any]
FILE = Path(strangers.__file__)


def as_json(result: Any) -> dict[str, Any]:
    return json.loads(result.out.splitlines()[-1])


def test_a_strangers_bug_is_told_worst_first(cli: Cli, here: Path):
    shutil.copy(FILE, here / "mine.py")
    result = cli("doctor", "mine.py:no_mask")
    assert result.code == 1
    assert result.out.startswith("WRONG")
    assert "Likely bug: missing mask." in result.out
    for word in ("measured", "expected", "remedy"):
        assert f"\n       {word}  " in result.out
    assert "Next:  pellucid doctor" in result.err and "Executing mine.py" in result.err


def test_a_healthy_stranger_exits_with_0(cli: Cli):
    result = cli("doctor", f"{FILE}:Slopes", "--json")
    found = as_json(result)
    assert result.code == 0 and found["healthy"] and not found["causes"]
    assert {"check", "verdict", "measured", "expected", "remedy", "cause"} == set(found["findings"][0])


def test_a_preset_is_examined(cli: Cli):
    result = cli("doctor", "--preset", "lesson")
    assert result.code == 0 and "Nothing is wrong with preset lesson" in result.out


def test_a_run_is_examined(cli: Cli, finished_run: Path):
    result = cli("doctor", finished_run, "--json")
    found = as_json(result)
    assert result.code == 0, found["causes"]
    checks = {finding["check"]: finding["verdict"] for finding in found["findings"]}
    assert checks["tokenizer"] == checks["learning rate"] == checks["loss on its own text"] == "ok"
    assert checks["template"] == checks["what it writes"] == "not applicable"


def change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))


def test_a_wrong_tokenizer_is_named(cli: Cli, finished_run: Path, train_tiny: Any, tmp_path: Path):
    other = tmp_path / "other.txt"
    other.write_text("Zyx wvu tsr qpo nml kji hgf edc ba!? " * 200)
    train_tiny(tmp_path / "other", other)
    shutil.copy(tmp_path / "other" / "tokenizer.json", finished_run / "tokenizer.json")
    result = cli("doctor", finished_run, "--json")
    assert result.code == 1 and as_json(result)["causes"][0] == "wrong tokenizer"


def test_a_tokenizer_that_fits_by_its_size_alone_is_told_by_the_loss(
    cli: Cli, finished_run: Path, train_tiny: Any, tmp_path: Path, text_file: Path
):
    text = text_file.read_text()
    symbols = sorted(set(text))
    other = tmp_path / "other.txt"
    other.write_text("".join(chr(0x3B1 + symbols.index(letter)) for letter in text), encoding="utf-8")
    train_tiny(tmp_path / "other", other)
    shutil.copy(tmp_path / "other" / "tokenizer.json", finished_run / "tokenizer.json")
    record = json.loads((tmp_path / "other" / "config.json").read_text())["data"]["tokenizer"]
    change(finished_run / "config.json", lambda stored: stored["data"].update(tokenizer=record))
    found = as_json(cli("doctor", finished_run, "--json"))
    assert found["causes"][0] == "wrong tokenizer"
    assert found["findings"][0]["check"] == "loss on its own text"


def test_a_rate_a_hundred_times_too_high_is_named(cli: Cli, train_tiny: Any, tmp_path: Path):
    run = tmp_path / "fast"
    train_tiny(run, optimizer="adamw", lr=0.3, steps=40)
    result = cli("doctor", run, "--json")
    assert result.code == 1 and as_json(result)["causes"][0] == "learning rate too high"


def test_a_run_that_became_nan_is_told(cli: Cli, finished_run: Path):
    path = finished_run / "metrics.jsonl"
    with path.open("a") as file:
        file.write(json.dumps({"step": 25, "rate": 0.001, "loss": float("nan")}) + "\n")
    result = cli("doctor", finished_run)
    assert result.code == 1 and "Likely bug: loss rose" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.py:Model"], "there is no file nothing.py"),
        (["nothing.py"], "does not say which class"),
        ([f"{FILE}:Nobody"], "has no Nobody"),
        (["nowhere"], "is not a run folder"),
        (["--preset", "none"], "preset 'none' is unknown"),
        (["x", "--preset", "mini"], "not both"),
    ],
)
def test_bad_arguments_exit_with_2(cli: Cli, arguments: list[str], words: str):
    result = cli("doctor", *arguments)
    assert result.code == 2 and words in result.err and not result.out


def test_help_says_that_a_file_is_executed(cli: Cli):
    words = " ".join(cli("doctor", "--help").out.split())
    assert "FILE.py is executed" in words and "forward(ids)" in words
