"""Several processes of one training: stopped, killed, resumed with as many or another number, and failing together."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forking import all_done
from safetensors.torch import load_file

from pellucid.training.run_folder import RunFolder

LaunchAll = Callable[..., list[Any]]
BitsOf = Callable[[Path], Any]
STEPS = 12


@pytest.fixture
def command(text_file: Path, recipe: Path) -> list[object]:
    """A training with dropout and accumulation that saves every other step."""
    return [
        *("train", text_file, "--config", recipe, "--steps", STEPS, "--batch-size", 8),
        *("--checkpoint-every", 2, "--eval-every", 6, "--out"),
    ]


def back_to(run: Path, step: int, copy: Path) -> Path:
    """A copy of a run whose newest checkpoint is that of `step`."""
    shutil.copytree(run, copy)
    folder = RunFolder(copy)
    for later in folder.checkpoints.steps():
        if later > step:
            shutil.rmtree(folder.checkpoints.path(later))
    return copy


@pytest.mark.parametrize("shard", ["no", "yes"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_resumed_on_two_is_to_the_bit_as_never_stopped(
    launch_all: LaunchAll, command: list[object], tmp_path: Path, bits_of: BitsOf, optimizer: str, shard: str
):
    more = ["--optimizer", optimizer, "--shard", shard, "--ema", 0.9]
    all_done(launch_all(2, *command, tmp_path / "run", *more))
    kept = RunFolder(tmp_path / "run").checkpoints.steps()
    assert kept[-2:] == [STEPS - 2, STEPS]
    copy = back_to(tmp_path / "run", STEPS - 2, tmp_path / "copy")
    processes = launch_all(2, "train", "--resume", "--out", copy)
    all_done(processes)
    assert f"Resuming at step {STEPS - 2} of {STEPS}" in processes[0].messages()
    assert bits_of(copy) == bits_of(tmp_path / "run")


@pytest.mark.parametrize(
    ("before", "after", "shard"), [(2, 1, "no"), (1, 2, "no"), (2, 1, "yes"), (1, 2, "yes")]
)
def test_another_number_of_processes_goes_on_with_the_same_run(
    launch_all: LaunchAll, command: list[object], tmp_path: Path, before: int, after: int, shard: str
):
    """Without dropout it is the same training, within 1e-5 a step."""
    all_done(launch_all(1, *command, tmp_path / "straight", "--dropout", 0))
    all_done(launch_all(before, *command, tmp_path / "run", "--dropout", 0, "--shard", shard))
    copy = back_to(tmp_path / "run", STEPS - 2, tmp_path / "copy")
    all_done(launch_all(after, "train", "--resume", "--out", copy))
    ends = (
        RunFolder(run).checkpoints.path(STEPS) / "model.safetensors" for run in (tmp_path / "straight", copy)
    )
    weights, others = map(load_file, ends)
    for name, weight in weights.items():
        assert torch.allclose(weight, others[name], rtol=0, atol=1e-5 * STEPS), name


@pytest.mark.parametrize("told", [(0, 1), (1,)])
def test_a_signal_to_any_saves_and_all_end(
    launch_all: LaunchAll, command: list[object], tmp_path: Path, told: tuple[int, ...]
):
    processes = launch_all(2, *command, tmp_path / "run", "--steps", 9000, "--eval-every", 9000)
    processes[0].until_step(tmp_path / "run", 8)
    for rank in told:
        processes[rank].send(signal.SIGINT)
    assert [process.wait() for process in processes] == [130, 130]
    assert "pellucid: stopped at step" in processes[0].messages()
    assert processes[1].messages() == ""
    stopped = RunFolder(tmp_path / "run").checkpoints.steps()[-1]
    assert stopped >= 8
    all_done(launch_all(2, "train", "--resume", "--out", tmp_path / "run", "--steps", stopped + 2))


def test_when_one_is_killed_the_others_end_with_a_sentence(
    launch_all: LaunchAll, command: list[object], tmp_path: Path
):
    processes = launch_all(2, *command, tmp_path / "run", "--steps", 9000, "--eval-every", 9000)
    processes[0].until_step(tmp_path / "run", 8)
    processes[1].send(signal.SIGKILL)
    assert processes[0].wait() == 1
    said = processes[0].messages().splitlines()[-1]
    assert said.startswith("pellucid: another process of this training ended, and all end with it")
    assert "Traceback" not in processes[0].messages()
    saved = RunFolder(tmp_path / "run").checkpoints.steps()[-1]
    all_done(launch_all(2, "train", "--resume", "--out", tmp_path / "run", "--steps", saved + 2))


@pytest.mark.parametrize("which", [0, 1])
def test_a_failure_of_one_ends_all(launch_all: LaunchAll, which: int):
    processes = launch_all(2, which, "the moon fell down", call="together:fails")
    assert [process.wait() for process in processes] == [1, 1]
    assert "the moon fell down" in processes[which].messages()
    assert processes[1 - which].out.read_text().startswith("lost:")


def test_a_text_that_is_another_elsewhere_is_refused(
    launch_all: LaunchAll, command: list[object], text_file: Path, tmp_path: Path
):
    other = tmp_path / "other.txt"
    other.write_text(text_file.read_text(encoding="utf-8") + "One more.\n", encoding="utf-8")
    verb, text, *rest = command
    processes = launch_all(2, verb, *rest, tmp_path / "run", each=lambda rank: ["--", (text, other)[rank]])
    assert [process.wait() for process in processes] == [2, 2]
    assert "pellucid: process 2 finds another text than process 1" in processes[0].messages()
    assert not (tmp_path / "run").exists()


def test_a_run_bounded_by_minutes_ends_for_all_at_once(
    launch_all: LaunchAll, command: list[object], tmp_path: Path
):
    place = command.index("--steps")
    bounded = [*command[:place], "--minutes", 0.03, *command[place + 2 :]]
    all_done(launch_all(2, *bounded, tmp_path / "run"))
    run = RunFolder(tmp_path / "run")
    plans = run.journal.of("plan")
    last = run.journal.of("finished")[-1]["step"]
    assert plans[-1]["total_steps"] == last
    assert run.metrics()[-1]["step"] == last


def test_the_others_need_no_folder_in_common(launch_all: LaunchAll, command: list[object], tmp_path: Path):
    """They write nothing, and a run that is not there for them they hear of."""
    places = [tmp_path / "here", tmp_path / "there"]
    all_done(launch_all(2, *command[:-1], each=lambda rank: ["--out", places[rank]]))
    assert places[0].is_dir()
    assert not places[1].exists()
    more = ("--steps", STEPS + 2)
    all_done(launch_all(2, "train", "--resume", *more, each=lambda rank: ["--out", places[rank]]))
    assert not places[1].exists()
    assert RunFolder(places[0]).journal.of("finished")[-1]["step"] == STEPS + 2
