"""`pellucid import`, and every verb on what it made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import llama_folder

Cli = Callable[..., Any]


@pytest.fixture
def imported(here: Path, cli: Cli) -> str:
    """The name of an imported run."""
    result = cli("import", str(llama_folder(here / "Tiny-Llama")), "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out.splitlines()[-1])
    assert told["family"] == "llama" and told["template"] == "chatml"
    assert "pellucid chat runs/tiny-llama-1" in result.err
    return "tiny-llama-1"


def test_every_verb_takes_an_imported_run(imported: str, cli: Cli, here: Path):
    (here / "text.txt").write_text("It was a bright cold day in April.\n" * 4)
    for arguments in (
        ["sample", imported, "--prompt", "It was", "--max-tokens", "5", "--ignore-eos"],
        ["eval", imported, "text.txt"],
        ["inspect", imported, "--view", "tokens", "--text", "the day"],
        ["inspect", imported, "--view", "attention", "--text", "the day"],
        ["inspect", imported, "--view", "next", "--text", "the day"],
        ["inspect", imported, "--view", "shapes", "--text", "the day"],
        ["runs"],
    ):
        result = cli(*arguments)
        assert result.code == 0, (arguments, result.err)
        assert result.out
    assert "imported" in cli("runs").out
    assert "is not known: overlap" in cli("eval", imported, "text.txt").err


def test_there_is_no_training_to_go_on_with(imported: str, cli: Cli):
    result = cli("train", "--resume", "--out", f"runs/{imported}")
    assert result.code == 2
    assert "was imported: there is no training to go on with" in result.err


def test_its_pairs_are_not_counted(imported: str, cli: Cli):
    result = cli("inspect", imported, "--view", "bigram")
    assert result.code == 2
    assert "was imported" in result.err


def test_its_card_says_what_it_is(imported: str, here: Path):
    card = (here / "runs" / imported / "README.md").read_text(encoding="utf-8")
    assert "imported by Pellucid" in card
    assert "llama, from huggingface" in card


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "nowhere is not there.*smollm2-135m-instruct"),
        ("model.bin", "is a pickle"),
        ("notes.txt", "is too short to be a GGUF file"),
        ("empty", "config.json is missing"),
    ],
)
def test_bad_sources(source: str, message: str, cli: Cli, here: Path):
    import re

    (here / "model.bin").write_bytes(b"\x80\x04.")
    (here / "notes.txt").write_text("hello")
    (here / "empty").mkdir()
    result = cli("import", source)
    assert result.code == 2
    assert re.search(message, result.err)
    assert not (here / "runs").exists()


def test_an_out_that_is_taken(imported: str, cli: Cli, here: Path):
    result = cli("import", "Tiny-Llama", "--out", "Tiny-Llama")
    assert result.code == 2
    assert not (here / "Tiny-Llama" / "README.md").exists()
    assert cli("import", "Tiny-Llama", "--out", f"runs/{imported}").code == 2
