"""A disk that fills up while training: the last checkpoint stands, the message says what to do, a resume goes on."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.training import checkpoints
from pellucid.training.checkpoints import problem
from pellucid.training.loop import Trainer
from pellucid.training.run_folder import RunFolder

Cli = Callable[..., Any]
BitsOf = Callable[[Path], Any]
ARGUMENTS = ("--steps", 40, "--checkpoint-every", 5, "--eval-every", 20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs to be root, on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def checks(run: Path, result: Any, at_least: int) -> None:
    """It said so, and the last checkpoint is whole."""
    last = result.err.strip().splitlines()[-1]
    assert result.code == 1
    assert last.startswith("pellucid: the disk is full: ")
    assert "--resume" in last
    assert "Traceback" not in result.err
    folder = RunFolder(run).checkpoints
    assert folder.steps()[-1] >= at_least
    assert all(problem(folder.path(step)) is None for step in folder.steps())
    assert not list(folder.folder.glob(".writing-*"))


def test_a_disk_that_is_really_full(
    small_disk: Path, text_file: Path, recipe: Path, cli: Cli, tmp_path: Path, bits_of: BitsOf
):
    run, ballast = small_disk / "run", small_disk / "ballast"
    command = ["train", text_file, "--config", recipe, *ARGUMENTS]
    assert cli(*command, "--out", tmp_path / "straight").code == 0

    step = Trainer._step

    def filling(self: Trainer, offset: float) -> None:
        if self.progress.step == 18:
            free = os.statvfs(small_disk)
            ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 8192))
        step(self, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_step", filling)
        result = cli(*command, "--out", run)
    checks(run, result, 15)
    ballast.unlink()
    assert cli("train", "--resume", "--out", run).code == 0
    assert bits_of(run) == bits_of(tmp_path / "straight")


@pytest.mark.parametrize("target", ["save_file", "append_metrics"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_said_to_be_full(
    target: str,
    number: int,
    text_file: Path,
    recipe: Path,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    run = tmp_path / "run"

    def full(*_: object) -> None:
        if (run / "checkpoints" / "step-00000010").exists():
            raise OSError(number, os.strerror(number))
        real(*_)

    owner: Any = RunFolder if target == "append_metrics" else checkpoints
    real = getattr(owner, target)
    with monkeypatch.context() as patch:
        patch.setattr(owner, target, full)
        result = cli("train", text_file, "--config", recipe, *ARGUMENTS, "--out", run)
    checks(run, result, 10)
    assert cli("train", "--resume", "--out", run).code == 0


def test_a_disk_full_before_the_run_began_leaves_nothing(
    text_file: Path, recipe: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pellucid.training.run_folder.write_json", full)
    result = cli("train", text_file, "--config", recipe, *ARGUMENTS, "--out", tmp_path / "run")
    assert result.code == 1
    assert not (tmp_path / "run").exists()
