"""Loaded runs: kept, bounded, read again when they change, and plain errors when they are gone or damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pellucid.errors import InputError
from pellucid.server.errors import NotFound
from pellucid.server.house import RunsRoot
from pellucid.server.models import Models
from pellucid.training.run_folder import RunFolder


@pytest.fixture
def models(runs: Path) -> Models:
    return Models(RunsRoot(runs), "cpu")


def test_a_run_is_loaded_once(models):
    first = models.get("farm-1")
    assert models.get("farm-1") is first is models.get()
    assert first.stamp == {"run": "farm-1", "step": first.loaded.step, "kind": "best"}
    at_75 = models.get("farm-1", 75)
    assert at_75 is not first and at_75.stamp == {"run": "farm-1", "step": 75, "kind": "checkpoint"}
    assert models.n_loaded == 2


def test_a_changed_file_is_read_again(models, runs):
    first = models.get()
    checkpoint = runs / "farm-1" / "checkpoints" / "step-00000075" / "model.safetensors"
    best = runs / "farm-1" / "model.safetensors"
    shutil.copy(checkpoint, best.with_name("new"))
    best.with_name("new").replace(best)
    second = models.get()
    assert second is not first and models.get() is second
    assert any(
        not a.equal(b)
        for a, b in zip(first.loaded.model.parameters(), second.loaded.model.parameters(), strict=True)
    )
    assert models.n_loaded == 1


def test_no_more_are_kept_than_there_is_room_for(runs):
    for name in ("b", "c", "d"):
        shutil.copytree(runs / "farm-1", runs / name)
    few = Models(RunsRoot(runs), "cpu", most=2)
    b = few.get("b")
    few.get("c")
    assert few.get("b") is b
    few.get("d")
    assert few.n_loaded == 2 and few.get("b") is b  # c was the least recently used
    small = Models(RunsRoot(runs), "cpu", most_bytes=b.n_bytes + 1)
    small.get("b")
    assert small.get("c") is small.get("c") and small.n_loaded == 1
    assert Models(RunsRoot(runs), "cpu", most_bytes=1).get("b")  # one is always kept


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../runs/farm-1", "farm-1/", "/etc", "farm-1/checkpoints", "a\\b", "farm-1\0", "x" * 300],
)
def test_a_name_is_never_a_path(models, name):
    with pytest.raises(NotFound):
        models.get(name)


def test_an_absolute_path_of_a_run_is_no_name(models, runs):
    with pytest.raises(NotFound):
        models.get(str(runs / "farm-1"))


def test_runs_given_at_the_start_may_lie_elsewhere(runs, tmp_path):
    elsewhere = RunFolder(Path(shutil.copytree(runs / "farm-1", tmp_path / "elsewhere" / "mine")))
    models = Models(RunsRoot(runs, [elsewhere]), "cpu")
    assert models.get().stamp["run"] == models.get("mine").stamp["run"] == "mine"
    assert models.get("farm-1").stamp["run"] == "farm-1"
    shutil.rmtree(elsewhere.path)
    with pytest.raises(NotFound):
        models.get("mine")
    assert models.get().stamp["run"] == "farm-1"


def test_a_deleted_run_is_told(models, runs):
    models.get("farm-1")
    shutil.rmtree(runs / "farm-1")
    with pytest.raises(NotFound, match="may have been deleted"):
        models.get("farm-1")
    with pytest.raises(NotFound, match="train one first"):
        models.get()


@pytest.mark.parametrize("damage", ["cut", "garbage", "missing", "config"])
def test_damage_is_told(models, runs, damage):
    folder = RunFolder(runs / "farm-1")
    if damage == "cut":
        folder.model_path.write_bytes(folder.model_path.read_bytes()[:-100])
    elif damage == "garbage":
        folder.model_path.write_bytes(b"\xff" * 5000)
    elif damage == "missing":
        folder.model_path.unlink()
    else:
        folder.config_path.write_text("{")
    with pytest.raises(InputError, match=r"damaged|no weights yet"):
        models.get("farm-1")
    assert models.n_loaded == 0


def test_a_damaged_checkpoint_is_told_and_the_others_still_serve(models, runs):
    path = runs / "farm-1" / "checkpoints" / "step-00000075" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged model\.safetensors: choose another step"):
        models.get("farm-1", 75)
    with pytest.raises(InputError, match="no checkpoint of step 76"):
        models.get("farm-1", 76)
    with pytest.raises(InputError, match="no training goes on"):
        models.get("farm-1", "live")
    assert models.get("farm-1", 150).loaded.step == 150


def test_over_the_wire(start, runs):
    live = start(runs)
    assert live.chat(max_tokens=3).status_code == 200
    shutil.rmtree(runs / "farm-1")
    for path in ("/api/chat", "/api/chat/stream"):
        answer = live.client.post(path, json={"message": "x", "run": "farm-1"})
        assert answer.status_code == 404 and "deleted" in answer.json()["error"]["message"]
    assert live.client.get("/v1/models").json()["data"] == []
    assert live.client.get("/api/session").json()["default_run"] is None
    assert live.client.get("/health").status_code == 200


def test_a_run_deleted_while_it_speaks_speaks_on(start, endless):
    live = start(endless)
    with live.client.stream("POST", "/api/chat/stream", json={"message": "x", "max_tokens": 60}) as response:
        lines = response.iter_lines()
        next(lines)
        shutil.rmtree(endless / "farm-1")
        assert '"done"' in [line for line in lines if line][-1]
