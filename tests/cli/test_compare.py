"""`pellucid compare` as it is typed: the ladder end to end, the list, going on, and bad input said in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
TINY = ("--d-model", "16", "--context-length", "16", "--batch-size", "4", "--device", "cpu")


def test_the_ladder_from_guessing_to_muon(cli: Cli, farm: Path):
    result = cli("compare", "--text", farm, "--steps", "3", "--seeds", "2", *TINY, "--json")
    assert result.code == 0, result.err
    answer = json.loads(result.out.splitlines()[-1])
    rows = {row["name"]: row for row in answer["rows"]}
    assert next(iter(rows)) == "uniform" and [*rows][-1] == "muon" and len(rows) == 16
    scores = [rows[name]["bits_per_byte"][0] for name in ("uniform", "unigram", "counted-bigram")]
    assert scores == sorted(scores, reverse=True) and rows["unigram"]["verdict"] == "better"
    assert rows["uniform"]["bits_per_byte"][1] is None and rows["muon"]["bits_per_byte"][1] > 0
    assert rows["rotary"]["against"] == "deeper" and "(against deeper)" in result.out
    assert rows["experts"]["active_parameters"] < rows["experts"]["parameters"]
    assert all(row["sample"] for row in rows.values()) and "\nmuon: " in result.out
    assert "Forecast: 16 contenders, 2 seeds; 26 trainings of 3 steps" in result.err
    assert "\nmuon: " in result.err.replace("\r", "\n") and "Next:  pellucid compare --resume" in result.err
    folder = farm.parent / "comparisons" / "ladder-1"
    assert answer["folder"] == str(Path("comparisons") / "ladder-1")
    stored = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert stored["summary"]["rows"] == answer["rows"] and stored["text"]["name"] == "farm"
    page = (folder / "table.md").read_text(encoding="utf-8")
    assert "3 steps each, 2 seeds, on farm." in page and "**muon**" in page
    assert {path.name for path in folder.iterdir()} == {
        ".lock", "comparison.json", "comparison.png", "table.md", "trainings.jsonl",
    }  # fmt: skip


def test_the_list_tells_every_set_and_rung(cli: Cli):
    from pellucid.inspection.compare.asked import comparisons

    result = cli("compare", "--list", "--json")
    assert result.code == 0
    answer = json.loads(result.out.splitlines()[-1])
    assert [*answer] == [*comparisons()] and {"ladder", "norms", "length", "epochs", "mask"} <= answer.keys()
    for name, comparison in comparisons().items():
        assert f"\n{name} " in "\n" + result.out and comparison.about in result.out
    assert "\none-head " in result.out


def test_two_contenders_and_more_seeds_later(cli: Cli, farm: Path):
    first = cli("compare", "n_layers=1", "n_layers=2", "--text", farm, "--steps", "3", "--seeds", "1", *TINY)
    assert first.code == 0 and "give --seeds 3" in first.out
    more = cli("compare", "--resume", "--seeds", "3")
    assert more.code == 0, more.err
    assert "4 trainings of 3 steps (2 are kept from before)" in more.err
    assert " ± " in more.out and "give --seeds 3" not in more.out
    again = cli("compare", "--resume")
    assert again.code == 0 and "0 trainings" in again.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("norm",), "did you mean 'norms'"),
        (("mini", "mega"), "'mega' is no contender"),
        (("--steps", "0"), "--steps must be above 0"),
        (("--minutes", "-1"), "--minutes must be above 0"),
        (("--seeds", "0"), "--seeds must be above 0"),
        (("--steps", "3", "--minutes", "1"), "--steps or --minutes, not both"),
        (("--n-heads", "2"), "decides n_heads itself"),
        (("heads", "--text", "nowhere.txt"), "nowhere.txt"),
        (("heads", "--d-model", "30"), "mha: d_model 30 does not divide into 4 heads"),
        (("--resume",), "no comparison here to go on with"),
        (("heads", "--device", "abacus"), "abacus"),
    ],
)
def test_what_is_wrong_is_said_at_once(cli: Cli, here: Path, arguments: tuple[str, ...], words: str):
    result = cli("compare", *arguments)
    assert result.code == 2 and words in result.err, result.err
    assert not (here / "comparisons").exists()


@pytest.mark.skipif(os.name == "nt", reason="a signal to one process alone")
def test_ctrl_c_keeps_what_is_done(farm: Path):
    command = [sys.executable, "-m", "pellucid", "compare", "n_layers=1", "n_layers=3", "--text", "farm.txt"]
    flags = ["--steps", "100000", "--out", "cut", *TINY]
    with subprocess.Popen([*command, *flags], cwd=farm.parent, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:  # it tells of steps every ten seconds, and of a forecast before
            if line.startswith("Forecast"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "pellucid compare --resume --out cut" in said and "Traceback" not in said
