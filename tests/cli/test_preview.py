"""`pellucid preview`: what it shows is what there is and what `train` then does; it leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.cli import console, preview, train
from pellucid.text.sources import read
from pellucid.text.survey import survey

Cli = Callable[..., Any]
SMALL = (
    *("--steps", 6, "--n-layers", 1, "--n-heads", 2, "--d-model", 16, "--context-length", 16),
    *("--batch-size", 4, "--precision", "float32", "--device", "cpu"),
)


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder, and what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def flat(text: str) -> str:
    """Lines that were broken to fit the terminal, as one."""
    return " ".join(text.split())


def parse_json(result: Any) -> dict[str, Any]:
    return json.loads(result.out.splitlines()[-1], parse_constant=pytest.fail)


def test_preview(cli: Cli, farm: Path):
    result = cli("preview", "farm.txt", *SMALL)
    assert result.code == 0, result.err
    text = farm.read_text()
    for words in (
        f"1 document, {len(text):,} characters",
        f"about {len(text.split()):,} words",
        f"{len(set(text))} different characters",
        "Latin 100.0%",
        "Begins (farm.txt)\n    " + text.split("\n")[0],
        f"train {int(0.9 * len(text)) - int(0.05 * int(0.9 * len(text))):,}, dev ",
        "validation is the last 0.1 of each document",
        "characters of text with",  # why characters
        "T·h·e· ·",
        "transformer: ",
        "6 steps of ",
        "384 tokens, ",
        "letters in plausible order",
    ):
        assert words in result.out, f"{words!r} is not in:\n{result.out}"
    assert "{" not in result.out
    assert "Forecast" not in result.err, "results go to stdout"


def test_preview_as_json_is_all_of_it(cli: Cli, farm: Path):
    result = cli("preview", "farm.txt", *SMALL, "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    found = dataclasses.asdict(survey(read("farm.txt")))
    assert {name: told[name] for name in found} == json.loads(json.dumps(found))
    assert told["split"]["characters"]["train"] > 0
    assert told["tokenizer"]["kind"] == "char"
    assert told["model"]["n_layers"] == 1
    assert told["model"]["parameters"] > 1000
    assert told["training"]["steps"] == told["forecast"]["steps"] == 6
    assert told["forecast"]["seconds_per_step"] > 0
    assert told["forecast"]["tokens"] == 6 * 4 * 16
    assert (told["unreadable"], told["notes"], told["unknown"]) == ([], [], 0)


@pytest.mark.parametrize(
    "flags", [(), ("--tokenizer", "wordpiece", "--vocab-size", 540), ("--preset", "bigram")]
)
def test_preview_leaves_nothing_behind(
    cli: Cli, farm: Path, here: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[Any, ...]
):
    monkeypatch.delenv("PELLUCID_NO_CACHE")  # the cache is on, and yet nothing is put there
    monkeypatch.setenv("PELLUCID_CACHE", str(here / "cache"))
    before = everything(here)
    assert cli("preview", "farm.txt", "--steps", 5, *flags, "--json").code == 0
    assert everything(here) == before


def test_preview_says_what_train_does(cli: Cli, farm: Path):
    flags = (*SMALL, "--tokenizer", "bpe", "--vocab-size", 300)
    told = parse_json(cli("preview", "farm.txt", *flags, "--json"))
    assert cli("train", "farm.txt", *flags).code == 0
    config = json.loads(Path("runs/farm-1/config.json").read_text())
    assert {**told["model"], "parameters": 0} == {**config["model"], "parameters": 0}
    assert {**told["training"], "eval_tokens": 0} == {**config["training"], "eval_tokens": 0}
    assert told["split"] == config["data"]["splits"]
    assert told["tokens"] == config["data"]["tokens"]
    assert told["tokenizer"]["symbols"] == config["data"]["tokenizer"]["symbols"]


def test_auto_gives_its_reasons(cli: Cli, farm: Path):
    told = parse_json(cli("preview", "farm.txt", "--minutes", 0.01, "--device", "cpu", "--json"))
    assert told["reasons"][0].startswith("size: ")
    assert told["training"]["minutes"] == 0.01


def test_the_next_command_trains_what_was_shown(cli: Cli, here: Path, text_file: Path):
    name = "my 'farm'.txt"
    (here / name).write_text(text_file.read_text())
    flags = (
        "--steps",
        7,
        "--lr",
        0.001,
        "--no-qk-norm",
        "--plain",
        "--prompt",
        "The cat",
        "--preset",
        "mini",
    )
    result = cli("preview", name, *flags, "--context-length", 16)
    assert result.code == 0, result.err
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("Next:  pellucid train ")
    program, verb, *arguments = shlex.split(last.removeprefix("Next:  "))
    assert (program, verb, arguments[0]) == ("pellucid", "train", name)
    shown = preview.parser().parse_args([name, *map(str, flags), "--context-length", "16"])
    assert vars(train.parser().parse_args(arguments)).items() >= vars(shown).items()


def test_a_folder_with_bad_files_in_it(cli: Cli, here: Path, text_file: Path):
    books = here / "books"
    books.mkdir()
    (books / "a.txt").write_text(text_file.read_text())
    (books / "b.txt").write_bytes(b"\0\0\0")
    (books / "c.txt").write_bytes("Une soir\u00e9e d'\u00e9t\u00e9. ".encode("cp1252") * 40)
    (books / "d.txt").write_text("na\u00c3\u00afve and caf\u00c3\u00a9 " * 40)
    result = cli("preview", "books", *SMALL, "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert dict(told["damage"]) == {"\u00c3\u00af": 40, "\u00c3\u00a9": 40}
    assert "Ã© 40×: probably read or written in another encoding" in result.out
    assert any("b.txt" in note for note in told["notes"])
    assert "read as Windows-1252" in result.out


def test_what_cannot_be_read_is_named(cli: Cli, farm: Path, monkeypatch: pytest.MonkeyPatch):
    corpus = dataclasses.replace(read("farm.txt"), unreadable=(("scan.pdf", "it holds no text"),), n_files=3)
    monkeypatch.setattr("pellucid.text.sources.read", lambda *_, **__: corpus)
    result = cli("preview", "farm.txt", *SMALL, "--json")
    assert "Not read   scan.pdf: it holds no text" in result.out
    assert "Found      3 files, 1 document," in result.out
    assert parse_json(result)["unreadable"] == [["scan.pdf", "it holds no text"]]


def test_a_text_cannot_command_the_terminal(cli: Cli, here: Path):
    (here / "evil.txt").write_text("\x1b[2J\x1b]0;gone\x07 and a line long enough to be cut\n" * 60)
    result = cli("preview", "evil.txt", *SMALL)
    assert result.code == 0, result.err
    assert "\x1b" not in result.out
    assert "\x07" not in result.out
    assert r"\x1b[2J" in result.out


def test_characters_a_given_tokenizer_lacks_are_counted(cli: Cli, farm: Path, finished_run: Path, here: Path):
    (here / "other.txt").write_text("Ünd The cat. " * 50 + "\u200b→é漢\u0301½", encoding="utf-8")
    result = cli("preview", "other.txt", "--tokenizer", finished_run, *SMALL, "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert (told["unknown"], told["unknown_named"]) == (56, "'Ü', U+200B, '→', 'é', '漢' and 2 others")
    assert f"56 characters are unknown to the tokenizer ({told['unknown_named']}) and become" in result.out
    trained = cli("train", "other.txt", "--tokenizer", finished_run, *SMALL)
    assert f"56 characters are unknown to the tokenizer ({told['unknown_named']})" in flat(trained.err)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "no text to look at"),
        (("missing.txt",), "does not exist"),
        (("farm.txt", "--tokenizer", "wordpeice"), "is no tokenizer"),
        (("farm.txt", "--steps", 5, "--minutes", 1), "one budget"),
        (("farm.txt", "--vocab-size", 600, "--tokenizer", "char"), "leave out --vocab-size"),
        (("farm.txt", "--vocab-size", 100, "--tokenizer", "wordpiece"), "518 tokens"),
        (("farm.txt", "--preset", "nope"), "preset 'nope' is unknown"),
        (("farm.txt", "--n-layers", 0), "n_layers"),
        (("farm.txt", "--d-model", 65536, "--n-layers", 999, "--context-length", 64), "are free"),
        (("farm.txt", "--context-length", 100_000), "fewer than one context of 100000"),
        (("short.txt", "--context-length", 16), "fewer than one context"),
    ],
)
def test_bad_input(cli: Cli, farm: Path, here: Path, arguments: tuple[Any, ...], complaint: str):
    (here / "short.txt").write_text("x")
    before = everything(here)
    result = cli("preview", *arguments)
    assert result.code == 2
    assert re.search(complaint, result.err)
    assert "Traceback" not in result.err
    assert everything(here) == before


def test_what_is_printable_is_left_alone():
    assert console.printable("naïve 漢字 🙂 'x'") == "naïve 漢字 🙂 'x'"
    assert console.printable("a\tb\x9b\u202e\ud800") == r"a\tb\x9b\u202e\ud800"


def test_a_prepared_folder_is_no_text(cli: Cli, farm: Path, here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    (here / "prep").mkdir()
    (here / "prep" / "prepared.json").write_text("{}")
    for source in ("prep", "~/prep"):
        result = cli("preview", source, *SMALL)
        assert result.code == 2
        assert "holds tokens, not text" in result.err
