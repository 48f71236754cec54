"""`pellucid audit`: the page, its JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pellucid.cli.audit import LABEL


@pytest.fixture
def farm_run(finished_run: Path) -> Path:
    return finished_run


def test_the_page_names_each_part_and_the_last_line_is_json(cli: Any, farm_run: Path):
    result = cli("audit", "farm-1", "--only", "gap", "--only", "extraction", "--device", "cpu", "--json")
    assert result.code == 0, result.err
    *page, last = result.out.splitlines()
    labels = [line[:LABEL].strip() for line in page if line[:1] != " "]
    assert labels == ["Audit", "Gap", "Extraction", "In all"]
    found = json.loads(last)
    assert found["gap"]["train"] > 0
    assert found["extraction"]["train"]["n"] > 20
    assert found["canaries"] is None
    assert found["refused"] == {}
    assert (farm_run / "AUDIT.md").is_file()
    assert "Next:" in result.err
    shown = next(line for line in page if line.startswith("Gap"))
    assert f"{found['gap']['held_out']:.3f} on text held out" in shown


def test_a_run_whose_context_holds_no_canary_says_so(cli: Any, here: Path, train_tiny: Any):
    train_tiny(here / "runs" / "short-1", context_length=8)
    result = cli("audit", "short-1", "--only", "canaries", "--device", "cpu")
    assert result.code == 2
    assert "no canary can be planted: it has to fit into 8 tokens" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["farm-1", "--only", "everything"], "there is no part 'everything'"),
        (["farm-1", "--minutes", "0"], "--minutes must be above 0"),
        (["farm-1", "--minutes", "nan"], "--minutes must be above 0"),
        (["farm-1", "--seed", "-1"], "--seed is a whole number"),
        (["farm-1", "--text", "nowhere.txt"], "nowhere.txt"),
        (["nobody"], "nobody is not a run folder"),
        (["farm-1", "--device", "abacus"], "abacus"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(cli: Any, farm_run: Path, arguments: list[str], said: str):
    result = cli("audit", *arguments)
    assert result.code == 2
    assert said in result.err
    assert result.out == ""
    assert not (farm_run / "audit.json").exists()


def test_a_text_that_is_gone_or_another_is_named(cli: Any, farm_run: Path, here: Path):
    config = json.loads((farm_run / "config.json").read_text(encoding="utf-8"))
    config["data"]["sources"] = [str(here / "gone.txt")]
    (farm_run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    gone = cli("audit", "farm-1", "--only", "gap")
    assert gone.code == 2
    assert "gone.txt" in gone.err
    assert "say with --text where it is" in gone.err
    (here / "other.txt").write_text("Another text altogether. " * 50, encoding="utf-8")
    other = cli("audit", "farm-1", "--only", "gap", "--text", "other.txt")
    assert other.code == 2
    assert "is not what" in other.err


def test_a_text_that_moved_is_taken_from_its_new_place(cli: Any, farm_run: Path, farm: Path):
    config = json.loads((farm_run / "config.json").read_text(encoding="utf-8"))
    config["data"]["sources"] = ["/nowhere/farm.txt"]
    (farm_run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    result = cli("audit", "farm-1", "--only", "gap", "--text", str(farm))
    assert result.code == 0, result.err


def test_an_imported_model_is_audited_with_a_text_that_is_named(cli: Any, farm_run: Path, farm: Path):
    """What was imported says so in its config.json, and has no record of a training."""
    config = json.loads((farm_run / "config.json").read_text(encoding="utf-8"))
    config["imported"] = {"from": "elsewhere"}
    config["data"] = {"name": "farm", "sources": []}
    (farm_run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    without = cli("audit", "farm-1")
    assert without.code == 2
    assert "was imported" in without.err
    result = cli("audit", "farm-1", "--text", str(farm), "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out.splitlines()[-1])
    assert set(found["refused"]) == {"canaries", "gap"}
    assert "its training is not known" in found["refused"]["gap"]
    assert found["extraction"]["held_out"] is None
    assert found["verbatim"]["written"]["n_grams"] >= 0
    assert "not done" in result.out
