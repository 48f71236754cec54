"""Damage done to checkpoints and other files of a run: what is noticed, what is used instead, what is kept."""

from __future__ import annotations

import errno
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign import EMPTY_PICKLE
from safetensors import SafetensorError

from pellucid.errors import InputError
from pellucid.training.checkpoints import Checkpoint, Checkpoints, load_tensors, problem, save_tensors
from pellucid.training.run_folder import RunFolder

Cli = Callable[..., Any]
BitsOf = Callable[[Path], Any]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-7] ^= 4
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def damage(run: Path, step: int, file: str, how: Callable[[Path], None]) -> None:
    how(run / "checkpoints" / f"step-{step:08d}" / file)


@pytest.mark.parametrize("how", [truncate, flip_a_byte, Path.unlink, empty])
@pytest.mark.parametrize(
    "file", ["model.safetensors", "optimizer.safetensors", "trainer.json", "manifest.json"]
)
def test_any_damage_to_any_file_is_noticed(finished_run: Path, file: str, how: Callable[[Path], None]):
    checkpoints = RunFolder(finished_run).checkpoints
    damage(finished_run, 24, file, how)
    assert problem(checkpoints.path(24)) is not None
    checkpoint, problems = checkpoints.newest_sound()
    assert checkpoint.step == 16
    assert len(problems) == 1
    assert problems[0].startswith("step-00000024 ")


@pytest.mark.parametrize("how", [truncate, flip_a_byte])
def test_a_resume_falls_back_says_so_and_ends_at_the_same_bits(
    finished_run: Path, cli: Cli, bits_of: BitsOf, how: Callable[[Path], None]
):
    expected = bits_of(finished_run)
    damage(finished_run, 24, "model.safetensors", how)
    result = cli("train", "--resume", "--out", finished_run)
    assert result.code == 0, result.err
    assert "Checkpoint step-00000024 has a " in result.err
    assert "taking an older one" in result.err
    assert "Resuming at step 16 of 24" in result.err
    assert bits_of(finished_run) == expected


def test_if_all_are_damaged_it_says_so_and_stops(finished_run: Path, cli: Cli):
    for step in (16, 24):
        damage(finished_run, step, "optimizer.safetensors", flip_a_byte)
    result = cli("train", "--resume", "--out", finished_run)
    assert result.code == 2
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("pellucid: no checkpoint in ")
    assert "step-00000016" in last
    assert "step-00000024" in last
    assert "--overwrite" in last


def test_damage_cannot_be_hidden_by_an_old_manifest(finished_run: Path):
    checkpoints = RunFolder(finished_run).checkpoints
    shutil.copy(checkpoints.path(16) / "manifest.json", checkpoints.path(24) / "manifest.json")
    assert problem(checkpoints.path(24)) is not None


def test_a_folder_left_by_a_crash_is_no_checkpoint_and_goes(finished_run: Path, cli: Cli):
    left = finished_run / "checkpoints" / ".writing-step-00000099"
    shutil.copytree(finished_run / "checkpoints" / "step-00000024", left)
    assert RunFolder(finished_run).checkpoints.steps() == [16, 24]
    assert cli("train", "--resume", "--out", finished_run, "--steps", 26).code == 0
    assert not left.exists()


def test_torn_metrics_are_cut_and_written_again(finished_run: Path, cli: Cli, bits_of: BitsOf):
    expected = bits_of(finished_run)
    path = finished_run / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:22]) + lines[22][: len(lines[22]) // 2])
    shutil.rmtree(finished_run / "checkpoints" / "step-00000024")
    assert cli("train", "--resume", "--out", finished_run).code == 0
    assert bits_of(finished_run) == expected


def test_torn_json_files_are_told_by_name(finished_run: Path, cli: Cli):
    truncate(finished_run / "config.json")
    result = cli("train", "--resume", "--out", finished_run)
    assert result.code == 2
    assert f"{finished_run / 'config.json'} is damaged" in result.err


def test_the_best_weights_are_mended_on_resuming(finished_run: Path, cli: Cli, bits_of: BitsOf):
    expected = bits_of(finished_run)
    truncate(finished_run / "model.safetensors")
    assert cli("train", "--resume", "--out", finished_run).code == 0
    assert bits_of(finished_run) == expected


# ---------------------------------------------------------------------- publishing and pruning


def checkpoint(step: int) -> Checkpoint:
    tensors = {"a": torch.full((3,), float(step))}
    return Checkpoint(step, tensors, tensors, {"progress": {"step": step}})


def test_the_last_two_and_the_best_are_kept(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3, 4, 5):
        checkpoints.save(checkpoint(step), keep_also=2)
    assert checkpoints.steps() == [2, 4, 5]


def test_nothing_is_pruned_before_the_new_one_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(checkpoint(step))
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(OSError, match="no space"):
        checkpoints.save(checkpoint(3))
    assert checkpoints.steps() == [1, 2]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert all(problem(checkpoints.path(step)) is None for step in (1, 2))


def test_a_damaged_checkpoint_is_replaced_when_its_step_comes_again(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(1))
    flip_a_byte(checkpoints.path(1) / "model.safetensors")
    checkpoints.save(checkpoint(1))
    assert problem(checkpoints.path(1)) is None


def test_damaged_later_ones_do_not_count_among_the_last_two(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 9):
        checkpoints.save(checkpoint(step))
    truncate(checkpoints.path(9) / "model.safetensors")
    checkpoints.save(checkpoint(2))
    assert checkpoints.steps() == [1, 2]


def test_every_file_and_the_folder_are_synced_before_the_name_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    events: list[str] = []
    from pellucid.training import checkpoints as module
    from pellucid.training import files

    for home in (files, module):
        monkeypatch.setattr(home, "sync", lambda path: events.append(path.name))
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, to: (events.append("RENAME"), rename(self, to))[1])
    Checkpoints(tmp_path).save(checkpoint(1))
    before, after = events[: events.index("RENAME")], events[events.index("RENAME") + 1 :]
    assert {"model.safetensors", "optimizer.safetensors", ".trainer.json.tmp", ".manifest.json.tmp"} <= set(
        before
    )
    assert before[-1] == ".writing-step-00000001"
    assert after == [tmp_path.name]


def test_the_manifest_has_size_and_sum_of_every_file(finished_run: Path):
    import hashlib

    folder = finished_run / "checkpoints" / "step-00000024"
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert set(files) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    for name, entry in files.items():
        data = (folder / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_what_safetensors_says_of_the_disk_becomes_the_systems_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("pellucid.training.checkpoints.save_file", full)
    with pytest.raises(OSError, match="No space left") as raised:
        save_tensors({"a": torch.zeros(3)}, tmp_path / "a.safetensors")
    assert raised.value.errno == errno.ENOSPC


def test_a_file_that_is_not_safetensors_is_told_by_name(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    for data in (b"", EMPTY_PICKLE, b"\xff" * 64):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
            load_tensors(path)


# ---------------------------------------------------------------------- a run in use


def test_a_run_in_use_is_locked_and_freed_by_sigkill(
    launch: Callable[..., Any], text_file: Path, recipe: Path, tmp_path: Path, cli: Cli
):
    run = tmp_path / "runs" / "farm-1"
    command = ["train", text_file, "--config", recipe, "--steps", 9000, "--out", run]
    process = launch(*command, hold_at=10)
    process.until_step(run, 3)
    for arguments in (["--resume"], ["--overwrite", text_file, "--config", recipe]):
        result = cli("train", "--out", run, *arguments)
        assert result.code == 2
        assert "is in use by another training" in result.err.splitlines()[-1]
    delete = cli("runs", "--delete", run, "--yes")
    assert (delete.code, run.exists()) == (2, True)
    assert "is being trained" in delete.err

    process.send(signal.SIGKILL)
    process.wait()
    assert not RunFolder(run).in_use
    assert cli("train", "--resume", "--out", run, "--steps", 8).code == 0
