"""`pellucid export`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exported import CASES, make_run
from own_models import write_lstm

import pellucid
from pellucid.cli import export as verb
from pellucid.interop import exporting

pytest.importorskip("transformers")

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_exported_compared_and_imported_again(cli: Cli):
    make_run(Path("runs/small-1"), CASES["LayerNorm, learned, GELU (tanh)"])
    done = cli("export", "small-1", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out.splitlines()[-1])
    assert said["family"] == "gpt2" and said["difference"] <= 1e-4
    assert said["path"] == str(Path("exports/small-1-hf"))
    assert "Note: biases that are not there are zeros." in done.err
    assert "no logit differs by more than" in done.err and "transformers" in done.err
    following = done.err.split("Next:")[1].split()
    assert following[:2] == ["pellucid", "import"]
    assert cli(*following[1:]).code == 0
    again = cli("export", "small-1")
    assert again.code == 2 and "is there already: delete it, or give another --out" in again.err


def test_where_it_is_not_compared_that_is_said(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    make_run(Path("runs/small-1"), CASES["RMSNorm, rotary, SwiGLU"])
    done = cli("export", "--no-check", "--out", "a")
    assert done.code == 0 and "Not compared with the run: --no-check." in done.err
    monkeypatch.setattr(exporting, "is_installed", lambda package: False)
    done = cli("export", "--out", "b")
    assert done.code == 0
    assert "transformers is not installed here: `pip install transformers`" in done.err


def test_a_part_without_a_twin(cli: Cli):
    make_run(Path("runs/small-1"), CASES["RMSNorm, rotary, SwiGLU"], logit_softcap=15.0)
    done = cli("export")
    assert done.code == 2 and done.err.strip().startswith("Loading…")
    assert "logit_softcap 15.0 has no twin in Hugging Face" in done.err
    assert not Path("exports").exists()


@pytest.mark.parametrize("to", ["hf", "gguf"])
def test_a_model_of_ones_own(cli: Cli, to: str, text_file: Path, quick_probe: object):
    """Its code is not even executed to say so."""
    named = f"{write_lstm(Path())}:LSTM,hidden=16"
    small = {"steps": 2, "context_length": 16, "batch_size": 2, "sample_tokens": 0}
    pellucid.train(text_file, out="runs/lstm-1", model=named, **small)
    done = cli("export", "--to", to)
    assert done.code == 2 and "lstm-1 is a model of its own code" in done.err
    assert not Path("exports").exists()


def test_a_checkpoint(cli: Cli, finished_run: Path):
    done = cli("export", str(finished_run), "--step", "999999")
    assert done.code == 2 and "has no checkpoint of step 999999" in done.err


def test_help_names_the_formats():
    assert "hf: a folder that transformers loads" in " ".join(verb.parser().format_help().split())
