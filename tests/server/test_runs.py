"""Runs as the page lists them, damaged ones too."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Client, serving

from pellucid.model.accounting import n_params
from pellucid.model.config import ModelConfig
from pellucid.server.runs import delete_run
from pellucid.training.control import Control
from pellucid.training.run_folder import RunFolder


@pytest.fixture
def live(finished_run: Path) -> Iterator[Client]:
    with serving(finished_run.parent) as client:
        yield client


def test_a_finished_run_tells_what_its_files_say(live: Client, finished_run: Path):
    run = RunFolder(finished_run)
    config, finished = run.config(), run.journal.of("finished")[-1]
    record = live.run("farm-1")
    assert record.pop("training") == config["training"]
    assert record.pop("model")["parameters"] == n_params(ModelConfig.from_dict(config["model"]))
    assert record.pop("bytes") == sum(
        path.stat().st_size for path in finished_run.rglob("*") if path.is_file()
    )
    assert record.pop("started").endswith("+00:00")
    last = run.samples_path.read_text(encoding="utf-8").rsplit(" ---\n", 1)[1]
    assert record.pop("sample") == last.removesuffix("\n\n") != ""
    assert record == {
        "name": "farm-1",
        "state": "finished",
        "step": 24,
        "total_steps": 24,
        "validation_loss": finished["validation_loss"],
        "bigram_loss": finished["bigram_loss"],
        "floor": None,
        "steps": ["best", 16, 24],
        "tokenizer": {"kind": "char", "symbols": config["data"]["tokenizer"]["symbols"]},
        "data": {
            "name": "farm",
            "characters": config["data"]["characters"],
            "tokens": sum(config["data"]["tokens"].values()),
        },
        "learned": None,
        "problem": None,
        "job": None,
    }


def test_the_newest_run_comes_first(live: Client, finished_run: Path):
    newer = shutil.copytree(finished_run, finished_run.with_name("farm-2"))
    os.utime(newer / "config.json", (4e9, 4e9))
    (finished_run.parent / "no run").mkdir()
    assert [run["name"] for run in live.ok("GET", "/api/runs")["runs"]] == ["farm-2", "farm-1"]


def test_a_training_can_be_paused_and_stopped_from_wherever_it_was_started(live: Client, finished_run: Path):
    holder = RunFolder(finished_run)
    holder.lock()
    control = Control(holder)
    assert live.run("farm-1")["state"] == "training"
    assert live.run("farm-1")["steps"] == ["best", "live", 16, 24]
    live.ok("POST", "/api/runs/farm-1/control", json={"action": "pause"})
    assert control.pausing
    (control.folder / "paused").touch()
    assert live.run("farm-1")["state"] == "paused"
    live.ok("POST", "/api/runs/farm-1/control", json={"action": "resume"})
    assert not control.pausing
    live.ok("POST", "/api/runs/farm-1/control", json={"action": "stop"})
    assert control.stopping
    live.refused("DELETE", "/api/runs/farm-1", 409, "is being trained")
    live.refused("POST", "/api/runs/farm-1/control", 400, "action", json={"action": "explode"})
    live.refused(
        "POST",
        "/api/runs/farm-1/control",
        400,
        "settings",
        json={"action": "resume", "settings": {"lr": "x"}},
    )
    holder.unlock()


def test_an_extended_run_that_stopped_is_not_finished(finished_run: Path):
    run = RunFolder(finished_run)
    assert run.finished
    run.journal.write("extension", step=24, total_steps=40)
    assert run.finished is None


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("config.json", lambda _: b"", "not valid JSON"),
        ("config.json", lambda b: b[: len(b) // 2], "not valid JSON"),
        ("config.json", lambda _: b"[]", "no JSON object"),
        ("config.json", lambda _: b"\xff\xfe\x00", "not valid JSON"),
        ("config.json", lambda b: b.replace(b'"format": 1', b'"format": 9'), "update pellucid"),
        ("config.json", lambda b: b.replace(b'"model"', b'"modell"'), "'model' part"),
        ("config.json", lambda b: b.replace(b'"d_model": 16', b'"d_model": "x"'), "d_model"),
        ("config.json", lambda b: b.replace(b'"characters"', b'"caracters"'), "damaged"),
        ("config.json", lambda b: b.replace(b'"kind"', b'"kin"'), "damaged"),
    ],
)
def test_a_damaged_run_is_listed_with_what_is_wrong(
    live: Client, finished_run: Path, name: str, damage: Callable[[bytes], bytes], words: str
):
    path = finished_run / name
    path.write_bytes(damage(path.read_bytes()))
    record = live.run("farm-1")
    assert record["state"] == "damaged"
    assert words in record["problem"]
    assert live.ok("GET", "/api/runs")["runs"][0]["state"] == "damaged"
    assert live.ok("DELETE", "/api/runs/farm-1") == {"deleted": "farm-1"}


@pytest.mark.parametrize("name", ["journal.jsonl", "metrics.jsonl", "samples.txt", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00\n", b"[1]\n", b'{"step": "x"}\n', None])
def test_no_other_damage_is_a_fault_of_the_server(
    live: Client, finished_run: Path, name: str, content: bytes | None
):
    (finished_run / name).unlink()
    if content is not None:
        (finished_run / name).write_bytes(content)
    assert live.run("farm-1")["state"] in ("finished", "stopped", "damaged")


def test_numbers_that_json_lacks_are_null(live: Client, finished_run: Path):
    path = finished_run / "config.json"
    values: dict[str, Any] = json.loads(path.read_text())
    values["training"]["lr"] = float("inf")
    values["data"]["name"] = "farm\ud800"
    path.write_text(json.dumps(values))
    record = live.run("farm-1")
    assert record["training"]["lr"] is None
    assert record["data"]["name"] == "farm\\ud800"


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2fruns", "farm-1%2f..", "nothing", "%00", ".server"])
def test_a_name_is_only_ever_a_run_right_there(live: Client, name: str, finished_run: Path):
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        answer = live.request(method, f"/api/runs/{name}{path}")
        assert answer.status_code in (404, 405), answer.text
    assert finished_run.is_dir()


def test_deleting_a_run_that_is_a_link_deletes_what_it_names(finished_run: Path, tmp_path: Path):
    real = Path(shutil.copytree(finished_run, tmp_path / "elsewhere" / "real"))
    link = tmp_path / "links" / "mine"
    link.parent.mkdir()
    try:
        link.symlink_to(real, target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    delete_run(RunFolder(link))
    assert not real.exists() and not link.is_symlink()
    assert not list(real.parent.iterdir()) and not list(link.parent.iterdir())
