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
        ("MODEL.PT", "is a pickle"),
        ("notes.txt", "is too short to be a GGUF file"),
        ("empty", "config.json is missing"),
    ],
)
def test_bad_sources(source: str, message: str, cli: Cli, here: Path):
    import re

    for name in ("model.bin", "MODEL.PT"):
        (here / name).write_bytes(b"\x80\x04.")
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


def conversations(path: Path, n: int = 24) -> Path:
    """JSON lines of one question and its answer each."""
    pairs = [(f"Where is cow {i}?", f"The cow {i} is in the barn.") for i in range(n)]
    rows = [
        {"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": other}]}
        for one, other in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("how", [[], ["--lora", "--rank", "2"]], ids=["full", "lora"])
def test_it_is_fine_tuned_and_resumed_to_the_same_bits(how: list[str], imported: str, cli: Cli, here: Path):
    """A run whose last checkpoints are gone goes on from an earlier one, as after a kill."""
    import shutil

    chat = str(conversations(here / "chat.jsonl"))
    recipe = ["--steps", "6", "--checkpoint-every", "2", "--batch-size", "4", "--device", "cpu"]
    recipe += ["--precision", "float32", "--anyway", *how]
    done = cli("finetune", imported, chat, "--out", "straight", *recipe)
    assert done.code == 0, done.err
    config = json.loads((here / "straight" / "config.json").read_text())
    assert config["template"] == "chatml"
    shutil.copytree(here / "straight", here / "cut")
    kept = sorted((here / "cut" / "checkpoints").glob("step-*"))
    assert len(kept) > 1
    for later in kept[1:]:
        shutil.rmtree(later)
    (here / "cut" / "model.safetensors").unlink()
    done = cli("finetune", "--resume", "--out", "cut")
    assert done.code == 0, done.err
    for name in ("model.safetensors", f"checkpoints/{kept[-1].name}/model.safetensors"):
        assert (here / "cut" / name).read_bytes() == (here / "straight" / name).read_bytes(), name
    said = cli("sample", "cut", "--prompt", "Where", "--max-tokens", "3", "--ignore-eos")
    assert said.code == 0, said.err
