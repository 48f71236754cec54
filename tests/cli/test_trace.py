"""`pellucid trace` walks through one forward pass, of a run or of a preset, in 100 columns and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import pellucid
from pellucid.api import load
from pellucid.inspection import shapes
from pellucid.inspection.subject import Subject
from pellucid.inspection.untrained import untrained
from pellucid.model.accounting import flops_per_token, n_params
from pellucid.model.config import ModelConfig

Cli = Callable[..., Any]
TEXT = "The owl sees"


@pytest.fixture
def trace(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.delenv("COLUMNS", raising=False)
    return lambda *arguments: cli("trace", *arguments)


def as_json(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    return json.loads(result.out.splitlines()[-1])


def config_of(run: Path) -> ModelConfig:
    return ModelConfig.from_dict(json.loads((run / "config.json").read_text(encoding="utf-8"))["model"])


# ---------------------------------------------------------------------- as JSON


def test_of_a_run_json_is_what_python_gives_and_adds_up(trace: Cli, finished_run: Path):
    got = as_json(trace(finished_run, "--text", TEXT, "--json"))
    assert got == json.loads(json.dumps(shapes.walk(Subject(load(finished_run, "cpu")), TEXT)))
    config = config_of(finished_run)
    assert sum(row["parameters"] for row in got["rows"]) == got["totals"]["parameters"] == n_params(config)
    assert sum(row["flops"] for row in got["rows"]) == len(TEXT) * flops_per_token(config, len(TEXT))
    assert got["stamp"] == {"run": "farm-1", "step": 24, "kind": "best"}


def test_the_weights_of_another_step_are_others(trace: Cli, finished_run: Path):
    best, earlier = (as_json(trace(finished_run, *step, "--json")) for step in ((), ("--step", 16)))
    assert earlier["stamp"] == {"run": "farm-1", "step": 16, "kind": "checkpoint"}
    norms = [[row["norm"] for row in answer["rows"]] for answer in (best, earlier)]
    assert norms[0] != norms[1]


def test_of_a_preset_no_run_is_needed(trace: Cli):
    result = trace("--preset", "lesson", "--json")
    got = as_json(result)
    want = shapes.walk(Subject(untrained("lesson", device="cpu")), "the cat sat")
    assert got["rows"] == json.loads(json.dumps(want["rows"]))
    assert got["stamp"] == {"run": "lesson", "step": 0, "kind": "untrained"}
    assert "random" in got["notes"][0] and "random" in result.err
    assert "Next:  pellucid train lesson --preset lesson" in result.err


def test_where_there_is_no_run_yet_the_smallest_preset_is_walked_through(trace: Cli):
    got = as_json(trace("--json"))
    assert got["stamp"]["run"] == "lesson" and "no run here yet" in got["notes"][0]


def test_left_out_run_is_the_latest_and_left_out_text_one_that_it_can_read(trace: Cli, finished_run: Path):
    got = as_json(trace("--json"))
    assert got["stamp"]["run"] == "farm-1"
    assert "".join(token["text"] for token in got["tokens"]) == "the cat sat"


def test_one_layer_alone(trace: Cli):
    everything = as_json(trace("--preset", "lesson", "--json"))
    got = as_json(trace("--preset", "lesson", "--layer", 1, "--json"))
    assert got["layer"] == 1 and got["totals"] == everything["totals"]
    assert got["rows"] == [row for row in everything["rows"] if row["name"].startswith("blocks.1.")] != []


def test_source_lines_say_what_is_claimed(trace: Cli, finished_run: Path):
    called = {
        "ids": "embedding(ids)",
        "embedding": "embedding(ids)",
        "attention.qkv": "self.qkv(x)",
        "attention.scores": "attend(q, k, v",
        "attention.weights": "attend(q, k, v",
        "attention.joined": "self.out(",
        "attention.join": "self.join(x",
        "feedforward.join": "self.join(x",
        "norm": "self.norm(x)",
        "head": "self.head(",
    }
    package = Path(pellucid.__file__).parent
    rows = {row["name"].removeprefix("blocks.0."): row for row in as_json(trace("--json"))["rows"]}
    for name, words in called.items():
        file, line = rows[name]["source"].split(":")
        assert words in (package / file).read_text(encoding="utf-8").splitlines()[int(line) - 1], name


# ---------------------------------------------------------------------- as text


def test_the_walk_in_text_has_every_part_in_a_hundred_columns(trace: Cli):
    out = trace("--preset", "lesson", "--text", "the cat sat").out
    lines = out.splitlines()
    assert max(map(cell_len, lines)) <= 100
    headings = ["Before the blocks", "Block 0 of 2: ", "Block 1 is like block 0: ", "After the blocks"]
    places = [next(i for i, line in enumerate(lines) if line.startswith(words)) for words in headings]
    assert places == sorted(places)
    rows = {row["name"]: row for row in as_json(trace("--preset", "lesson", "--json"))["rows"]}
    for name, row in rows.items():
        assert row["says"] in " ".join(out.split()) and row["source"] in out
        if name != "ids" and not name.startswith("blocks.1."):
            assert f"norm {row['norm']:.3g} · {row['source']}" in out
    first = next(line for line in lines if line.startswith("attention.qkv"))
    assert first.split() == ["attention.qkv", "B,", "T,", "(H+2·K)·D", "1×11×96", "3,072", "67,584"]
    assert "26,944 parameters, 108 kB; 573,056 FLOPs for this prompt" in out


def test_the_sums_in_text_are_those_of_the_accounting(trace: Cli, finished_run: Path):
    out, config = trace("--text", TEXT).out, config_of(finished_run)
    assert f"{n_params(config):,} parameters" in out
    assert f"{len(TEXT) * flops_per_token(config, len(TEXT)):,} FLOPs for this prompt" in out


def test_t_by_t_is_a_small_table(trace: Cli):
    lines = [line.split() for line in trace("--preset", "lesson").out.splitlines()]
    assert ["128", "16,384", "66", "kB", "8", "131,072", "524", "kB"] in lines
    assert ["4,096", "16,777,216", "67.1", "MB", "8", "134,217,728", "536.9", "MB"] in lines
    assert ["11", "121", "484", "bytes", "8", "968", "4", "kB"] in lines


@pytest.mark.parametrize("preset", ["mini", "bigram"])
def test_further_equal_blocks_are_one_line(trace: Cli, preset: str):
    out = trace("--preset", preset).out
    if preset == "mini":
        said = " ".join(out.split())
        assert "Blocks 1 to 3 are each like block 0: 17 tensors, 3 × 197,120 = 591,360 parameters" in said
        assert "Add --layer 1" in said
    else:
        assert "From tokens to logits" in out and "Block" not in out and "no attention" in out


def test_a_wide_terminal_shows_numbers_and_source_in_the_row(trace: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "180")
    out = trace("--preset", "lesson").out
    assert max(map(cell_len, out.splitlines())) <= 180
    row = as_json(trace("--preset", "lesson", "--json"))["rows"][1]
    line = next(line for line in out.splitlines() if line.startswith("embedding "))
    assert line.split()[-4:] == [*(f"{row[fact]:.3g}" for fact in ("mean", "std", "norm")), row["source"]]
    assert f"{row['says']} ({row['formula']})" in out
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(cell_len, trace("--preset", "lesson").out.splitlines())) <= 100


@pytest.mark.parametrize("text", ["", "\x1b[2J\x00\x07", "§§", "a" * 50, "\udcff"])
def test_strange_texts_neither_fail_nor_command_the_terminal(trace: Cli, finished_run: Path, text: str):
    for which in (("--preset", "lesson"), (finished_run,)):
        result = trace(*which, "--text", text)
        assert result.code == 0, result.err
        assert not {"\x1b", "\x00", "\x07"} & set(result.out + result.err)


# ---------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere is not a run folder"),
        (("--preset", "nothing"), "preset 'nothing' is unknown"),
        (("--preset", "chat"), "the preset chat does not say what the model is: choose one of"),
        (("some-run", "--preset", "lesson"), "name one of the two"),
        (("--preset", "lesson", "--layer", 2), "this model has 2 layers, counted from 0: there is no 2"),
        (("--preset", "lesson", "--layer", -1), "there is no -1"),
        (("--preset", "lesson", "--layer", "x"), "--layer"),
        (("--preset", "bigram", "--layer", 0), "a bigram model has no layers"),
        (("--preset", "lesson", "--step", 3), "leave out --step"),
        (("--step", 3), "there is no run here yet"),
        (("--preset", "lesson", "--text", "a" * 1_000_001), "1,000,001 characters"),
        (("--preset", "lesson", "--device", "abacus"), "abacus"),
        (("--view", "shapes"), "--view"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(trace: Cli, arguments: tuple, words: str):
    result = trace(*arguments)
    assert result.code == 2 and words in result.err, result.err
    complaint = result.err.strip().splitlines()
    assert complaint[-1].startswith("pellucid: ") and len(complaint) == 1 and "Traceback" not in result.err
