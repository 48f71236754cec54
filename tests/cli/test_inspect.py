"""`pellucid inspect` prints what the views compute, as text and as JSON, and says plainly what cannot be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from pellucid.api import load
from pellucid.cli import drawing
from pellucid.inspection import attention, bigram, sampling, shapes, tokens
from pellucid.inspection.subject import Subject

Cli = Callable[..., Any]
TEXT = "The owl sees"


@pytest.fixture
def inspect(cli: Cli, finished_run: Path) -> Cli:
    return lambda *arguments: cli("inspect", finished_run, *arguments)


@pytest.fixture
def subject(finished_run: Path) -> Subject:
    return Subject(load(finished_run, "cpu"))


def as_json(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    return json.loads(result.out.splitlines()[-1])


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("tokens", lambda subject: tokens.cut(subject, TEXT)),
        ("bigram", lambda subject: bigram.table(subject, subject.tokenizer.encode("s")[0].item(), 16)),
        ("attention", lambda subject: attention.overview(subject, TEXT).to_dict()),
        ("next", lambda subject: sampling.next_token(subject, TEXT, shown=20)),
        ("shapes", lambda subject: shapes.budget(subject, TEXT)),
    ],
)
def test_json_is_what_python_gives(
    inspect: Cli, subject: Subject, view: str, expected: Callable[[Subject], Any]
):
    got, want = as_json(inspect("--view", view, "--text", TEXT, "--json")), expected(subject)
    for answer in (got, want):
        answer.pop("measured", None)
    assert got == json.loads(json.dumps(want))
    assert got["stamp"] == {"run": "farm-1", "step": 24, "kind": "best"}


def test_the_flags_reach_the_views(inspect: Cli, subject: Subject):
    way = ("--scale", "none", "--mask", "none", "--json", "--text", TEXT)
    got = as_json(inspect("--view", "attention", "--layer", 0, "--head", 1, *way))
    assert got == attention.head(subject, TEXT, 0, 1, "none", "none").to_dict()
    flags = ("--temperature", 1.5, "--top-k", 3, "--top-p", 0.9, "--min-p", 0.01, "--shown", 4)
    got = as_json(inspect("--text", TEXT, *flags, "--draw", 7, "--seed", 1, "--json"))
    options = {"temperature": 1.5, "top_k": 3, "top_p": 0.9, "min_p": 0.01}
    drawn = sampling.draw(subject, TEXT, **options, n=7, seed=1)
    assert got.pop("draws") == {"n": 7, "counts": drawn["counts"]}
    assert got == sampling.next_token(subject, TEXT, **options, shown=4)
    assert len(as_json(inspect("--view", "bigram", "--size", 3, "--row", "h", "--json"))["counts"]) == 3


def test_an_earlier_step_is_looked_into_and_named(inspect: Cli, finished_run: Path):
    result = inspect("--step", 16, "--text", TEXT)
    assert "farm-1 · step 16 (checkpoint)" in result.err
    assert inspect("--text", TEXT).out != result.out
    for step in ("17", "live", "x", "-1"):
        result = inspect("--step", step)
        assert result.code == 2 and result.err.startswith("pellucid: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--view", "tokens"), ["12 characters, 12 bytes, 12 tokens", "place  id  token", "·"]),
        (("--view", "bigram"), ["pairs counted in the training split", "After s ("]),
        (("--view", "attention"), ["0.0", "0.1", "scores × 0.3536 (1/√8), causal mask; loss "]),
        (("--view", "attention", "--head", 1), ["Layer 0, head 1", "╱", "strongest keys"]),
        (("--view", "attention", "--mask", "none"), ["no mask; loss", "as trained. Not trained this way."]),
        (("--view", "attention", "--tiles", 4), ["Each cell is the greatest of 3 × 3 weights."]),
        (("--view", "next"), ["Entropy", "rank", "others", "█", "cut"]),
        (("--view", "next", "--draw", 50), ["Drawn 50 times:"]),
        (
            ("--view", "shapes"),
            ["blocks.0.attention.qkv", "1×12×", "FLOPs", "Measured here: reading", "training"],
        ),
    ],
)
def test_views_are_drawn_in_text(inspect: Cli, arguments: tuple, words: list[str]):
    text = ("--text", TEXT, "--top-k", 10) if "next" in arguments else ("--text", TEXT)
    result = inspect(*arguments, *text)
    assert result.code == 0, result.err
    for word in words:
        assert word in result.out, result.out
    assert "Next:  pellucid inspect" in result.err


def test_a_head_in_text_names_its_strongest_keys(inspect: Cli, subject: Subject):
    """The number printed is the largest weight of that row."""
    lines = inspect("--view", "attention", "--head", 0, "--text", TEXT).out.splitlines()
    last = lines[-1].split()
    weights = attention.head(subject, TEXT, 0, 0).arrays["weights"][len(TEXT) - 1]
    assert last[0] == str(len(TEXT) - 1)
    assert last[2] == str(weights.argmax()) and last[4] == f"{weights.max():.3f}"


# ---------------------------------------------------------------------- tables that can be read


def columns(line: str) -> list[str]:
    """A line as a terminal shows it: what stands in each of its columns."""
    cells: list[str] = []
    for character in line:
        width = cell_len(character)
        if width:
            cells += [character, *[""] * (width - 1)]
        elif cells:
            cells[-1] += character
    return cells


NAMES = ["e", "·the", "猫", "e\u0301t", "·", "abc"]
COUNTS = [[row * 6 + column for column in range(6)] for row in range(6)]


@pytest.mark.parametrize("terminal", [40, 24, 19, 16, 5])
def test_every_column_that_fits_has_its_whole_name_above_it(terminal: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", str(terminal))
    marks = [[chr(ord("A") + n % 26) for n in row] for row in COUNTS]
    lines = drawing.grid(NAMES, marks, [str(10**n) for n in range(6)])
    told = lines.pop() if "of 6 columns" in lines[-1] else ""
    head, body = [columns(line) for line in lines[:-6]], [columns(line) for line in lines[-6:]]
    assert terminal < 19 or max(map(len, body)) <= terminal
    places = [place for place, cell in enumerate(body[0]) if cell in marks[0]]
    assert told.startswith(f"The first {len(places)} of 6") if len(places) < 6 else not told
    for place, name in zip(places, NAMES, strict=False):
        assert "".join(line[place] for line in head if place < len(line)).strip() == name
    for name, row, line in zip(NAMES, marks, body, strict=True):
        assert "".join(line).startswith(name)
        assert [line[place] for place in places] == row[: len(places)]
    assert len({len(line) for line in body}) == 1, "the counts end in one column"


def test_a_table_is_aligned_whatever_takes_two_columns_or_none():
    rows = [("token", "share"), ("猫猫", "3.1%"), ("e\u0301", "12.5%"), ("abc", "100.0%")]
    lines = drawing.table(rows, " r").splitlines()
    assert len({cell_len(line) for line in lines}) == 1


def test_the_table_of_pairs_names_all_its_columns(inspect: Cli, subject: Subject):
    lines = inspect("--view", "bigram", "--size", 8, "--text", TEXT).out.splitlines()
    names = [drawing.label(row["text"]) for row in bigram.table(subject, None, 8)["rows"]]
    head = lines.index("") + 1
    assert lines[head].split() == names, "of characters, each name is one line high"
    assert [line.split()[0] for line in lines[head + 1 : head + 9]] == names
    assert "░ from 20%, ▒ from 40%, ▓ from 60%, █ from 80%" in lines[0]
    shares = [line.index("%") for line in lines[head + 11 :]]
    assert len(shares) >= 3 and len(set(shares)) == 1, "percentages stand below one another"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--view", "lens"), "--view"),
        (("--view", "attention", "--layer", 9), "there is no 9"),
        (("--view", "attention", "--head", 2), "head must be a whole number from 0 to 1"),
        (("--view", "attention", "--head", 0, "--layer", -1), "layer must be"),
        (("--view", "attention", "--tiles", 0), "tiles must be"),
        (("--view", "next", "--temperature", -1), "temperature"),
        (("--view", "next", "--draw", -5), "n must be a whole number"),
        (("--view", "bigram", "--row", "ab"), "--row names one token"),
        (("--view", "bigram", "--size", 9999), "size must be"),
        (("--scale", "big"), "--scale"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(inspect: Cli, arguments: tuple, words: str):
    result = inspect("--text", TEXT, *arguments)
    assert result.code == 2 and words in result.err
    assert len(result.err.strip().splitlines()) == 1 and "Traceback" not in result.err


def test_no_run_is_told(cli: Cli):
    result = cli("inspect", "nowhere", "--text", TEXT)
    assert result.code == 2 and "nowhere is not a run folder" in result.err


@pytest.mark.parametrize("view", ["tokens", "bigram", "attention", "next", "shapes"])
@pytest.mark.parametrize("text", ["", "\x1b[2J\x00\x07", "§§", "a" * 50, "\udcff"])
def test_strange_texts_neither_fail_nor_command_the_terminal(inspect: Cli, view: str, text: str):
    result = inspect("--view", view, "--text", text)
    assert result.code == 0, result.err
    assert not {"\x1b", "\x00", "\x07"} & set(result.out + result.err)


def test_a_bigram_model_is_shown_as_far_as_it_goes(cli: Cli, train_tiny: Callable[..., Any], tmp_path: Path):
    train_tiny(tmp_path / "pairs", architecture="bigram")
    result = cli("inspect", tmp_path / "pairs", "--view", "attention", "--text", TEXT)
    assert result.code == 0 and "A bigram model has no attention." in result.err
    assert (
        result.out.startswith("Loss ") and "scores" not in result.out and "--view attention" not in result.err
    )
    assert "table" in cli("inspect", tmp_path / "pairs", "--view", "shapes", "--text", TEXT).out
    assert (
        "--view attention" not in cli("inspect", tmp_path / "pairs", "--view", "bigram", "--text", TEXT).err
    )
    for one in ("--head", "--layer"):
        result = cli("inspect", tmp_path / "pairs", "--view", "attention", one, 0)
        assert result.code == 2 and "choose a transformer" in result.err
