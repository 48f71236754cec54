"""Trainings that are killed while somebody has asked something of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.training.control import Control
from pellucid.training.run_folder import RunFolder

Launch = Callable[..., Any]
STEPS = 60


def until(true: Callable[[], object], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_while_paused_it_resumes_where_it_was_to_the_same_bits(
    launch: Launch, text_file: Path, recipe: Path, tmp_path: Path, bits_of: Callable[[Path], Any]
):
    command = ["train", text_file, "--config", recipe, "--steps", STEPS, "--eval-every", 15, "--out"]
    assert launch(*command, tmp_path / "straight").wait() == 0

    run = tmp_path / "run"
    process = launch(*command, run, hold_at=20)
    process.until_step(run, 8)
    control = Control(RunFolder(run))
    control.pause()
    until(lambda: control.paused)
    assert "Paused at step" in process.messages()
    step = RunFolder(run).metrics()[-1]["step"]
    assert RunFolder(run).checkpoints.steps()[-1] == step
    time.sleep(0.3)
    assert RunFolder(run).metrics()[-1]["step"] == step, "it did not wait"
    assert control.fetch_weights() == RunFolder(run).live_path
    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert control.paused, "nobody was there to clear it"
    assert RunFolder(run).live_path.exists()

    process = launch("train", "--resume", "--out", run)
    assert process.wait() == 0, process.messages()
    assert f"Resuming at step {step} of {STEPS}" in process.messages()
    assert bits_of(run) == bits_of(tmp_path / "straight")
    assert not control.folder.exists()
    assert not RunFolder(run).live_path.exists()


def test_asked_from_outside_it_stops_saved(launch: Launch, text_file: Path, recipe: Path, tmp_path: Path):
    run = tmp_path / "run"
    process = launch("train", text_file, "--config", recipe, "--steps", 5_000, "--out", run, hold_at=20)
    process.until_step(run, 8)
    Control(RunFolder(run)).stop()
    assert process.wait() == 130
    assert "everything is saved" in process.messages()
    assert not (run / "control").exists()


def test_asking_whether_a_run_is_in_use_keeps_nobody_from_training_it(
    launch: Launch, text_file: Path, recipe: Path, tmp_path: Path
):
    """Who asks holds the lock for a moment; a training that starts just then tries again."""
    run = tmp_path / "run"
    command = ["train", text_file, "--config", recipe, "--steps", 3, "--out", run]
    assert launch(*command).wait() == 0
    for steps in (6, 9, 12):
        process = launch("train", "--resume", "--out", run, "--steps", steps)
        while RunFolder(run).metrics()[-1]["step"] < steps:
            assert "in use" not in process.messages()
            RunFolder(run).in_use  # noqa: B018
        assert process.wait() == 0, process.messages()
