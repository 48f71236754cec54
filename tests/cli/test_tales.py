"""The corpus `tales` at the command line: accepted where named corpora are, and held against its floor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def told(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    return json.loads(result.out.splitlines()[-1])


def test_preview_says_what_the_corpus_holds(cli: Cli, quick_probe: object):
    result = cli("preview", "tales:60", "--steps", 20, "--json")
    assert told(result)["n_documents"] == 60
    assert told(result)["split"]["rule"] == "whole documents by seed"
    assert result.err.splitlines()[-1].startswith("Next:  pellucid train tales:60")


def test_train_and_eval_tell_the_gap(cli: Cli, quick_probe: object, tiny: dict[str, Any], here: Path):
    flags = [
        item
        for name, value in tiny.items()
        if name != "sample_tokens"
        for item in (f"--{name.replace('_', '-')}", value)
    ]
    trained = cli("train", "tales:40", "--out", "runs/tales-1", *flags, "--json")
    floor = told(trained)["floor"]
    assert floor["gap"] > 0 and floor["n_stories"] == 128
    assert f"{floor['gap']:.4f} ± {floor['error']:.4f} bits a character" in trained.err
    kept = json.loads((here / "runs" / "tales-1" / "floor.json").read_text(encoding="utf-8"))
    assert kept.pop("step") == told(trained)["best_step"] and kept == floor
    alone = cli("eval", "tales-1", "--json")
    assert told(alone)["floor"] == floor
    assert "(128 of them are longer than its context" in alone.out
    assert "own stories    0 of 16" in alone.out
    with_text = cli("eval", "tales-1", "tales:30", "--json")
    assert told(with_text)["floor"] == floor and told(with_text)["overlap"] > 0.5


def test_other_runs_are_told_of_no_floor(cli: Cli, finished_run: Path, farm: Path):
    assert "floor" not in told(cli("eval", finished_run, farm, "--json"))


def test_a_wrong_number_of_stories(cli: Cli):
    result = cli("train", "tales:many")
    assert result.code == 2 and "tales:5000" in result.err
