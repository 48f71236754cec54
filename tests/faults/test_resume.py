"""N steps, SIGKILL at any moment, resume, M steps: the bits of N + M steps that were never stopped."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clocks import MEASURED_SECONDS, Clock

from pellucid.training.journal import Journal
from pellucid.training.run_folder import RunFolder

STEPS = 60
Launch = Callable[..., Any]
BitsOf = Callable[[Path], Any]


@pytest.fixture(params=["adamw", "muon"])
def command(request: pytest.FixtureRequest, text_file: Path, recipe: Path) -> list[object]:
    """A training with dropout and accumulation that saves every other step."""
    return [
        *("train", text_file, "--config", recipe, "--steps", STEPS, "--optimizer", request.param),
        *("--checkpoint-every", 2, "--eval-every", 15, "--out"),
    ]


@pytest.fixture(scope="module")
def known() -> dict[object, Any]:
    return {}


@pytest.fixture
def straight(
    launch: Launch, command: list[object], tmp_path: Path, bits_of: BitsOf, known: dict[object, Any]
) -> Any:
    """The bits of an uninterrupted run, made once for each optimizer."""
    optimizer = command[command.index("--optimizer") + 1]
    if optimizer not in known:
        process = launch(*command, tmp_path / "straight")
        assert process.wait() == 0, process.messages()
        known[optimizer] = bits_of(tmp_path / "straight")
        assert known[optimizer].last == STEPS
        assert [step for step, *_ in known[optimizer].steps] == list(range(1, STEPS + 1))
    return known[optimizer]


def start_or_resume(launch: Launch, command: list[object], run: Path, **how: Any) -> Any:
    resuming = ["train", "--resume", "--out", run]
    return launch(*(resuming if (run / "config.json").exists() else [*command, run]), **how)


def test_killed_at_random_moments_again_and_again(
    launch: Launch, command: list[object], straight: Any, tmp_path: Path, bits_of: BitsOf
):
    draw, run = random.Random(), tmp_path / "run"
    for first in (3, 15, 27, 39):
        step = first + draw.randrange(8)
        process = start_or_resume(launch, command, run, hold_at=step + 6)  # late, it is killed there
        process.until_step(run, step)
        time.sleep(draw.uniform(0, 0.03))
        process.send(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.messages()
        assert 0 <= RunFolder(run).checkpoints.steps()[-1] < STEPS
    process = start_or_resume(launch, command, run)
    assert process.wait() == 0, process.messages()
    assert bits_of(run) == straight


def test_killed_at_the_writes_themselves(
    launch: Launch, command: list[object], straight: Any, tmp_path: Path, bits_of: BitsOf
):
    """At each kind of moment inside writing config, plan, checkpoint, best weights: SIGKILL instead of the write."""
    draw, run = random.Random(7), tmp_path / "run"
    deaths = [2, 5, 6, *(draw.randrange(8, 70) for _ in range(15))]
    for call in deaths:
        code = start_or_resume(launch, command, run, die_at=call).wait()
        assert code in (-signal.SIGKILL, 0)
    assert (run / "config.json").exists()
    process = start_or_resume(launch, command, run)
    assert process.wait() == 0, process.messages()
    assert bits_of(run) == straight
    left = [path.name for path in run.rglob(".*") if path.name != ".lock"]
    assert left == [], "temporary files were left behind"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_leaves_a_model_and_the_rest_is_the_same(
    launch: Launch,
    command: list[object],
    straight: Any,
    tmp_path: Path,
    bits_of: BitsOf,
    number: signal.Signals,
):
    run = tmp_path / "run"
    process = launch(*command, run, hold_at=30)
    process.until_step(run, 8)
    process.send(number)
    assert process.wait() == 130, process.messages()
    last = process.messages().strip().splitlines()[-1]
    assert last.startswith("pellucid: stopped at step")
    assert "everything is saved" in last
    assert f"--resume --out {run}" in last
    stopped = RunFolder(run).checkpoints.steps()[-1]
    assert 8 <= stopped < STEPS

    sample = launch("sample", run, "--prompt", "The", "--max-tokens", 5)
    assert sample.wait() == 0, sample.messages()
    assert sample.out.read_text().startswith("The")

    process = launch("train", "--resume", "--out", run)
    assert process.wait() == 0, process.messages()
    assert f"Resuming at step {stopped} of {STEPS}" in process.messages()
    assert bits_of(run) == straight


def test_a_run_stopped_before_its_first_evaluation_leaves_what_it_learned(
    launch: Launch, text_file: Path, recipe: Path, tmp_path: Path
):
    run = tmp_path / "run"
    command = ["train", text_file, "--config", recipe, "--steps", 3000, "--eval-every", 3000, "--out", run]
    process = launch(*command, hold_at=100)
    process.until_step(run, 40)
    process.send(signal.SIGINT)
    assert process.wait() == 130
    import pellucid

    dev_at_start = RunFolder(run).metrics()[0]["dev_loss"]
    text = text_file.read_text(encoding="utf-8")
    assert pellucid.load(run).loss(text[-1000:]) < dev_at_start - 0.3


@pytest.mark.parametrize("slower", [False, True])
def test_a_run_bounded_by_minutes_replays_its_plans(
    train_tiny: Callable[..., Any],
    tmp_path: Path,
    bits_of: BitsOf,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    slower: bool,
):
    """Steps that turn out slower than they were measured make the clock end the run early, between two steps."""
    monkeypatch.setattr("pellucid.training.timing.REPLAN_SECONDS", 0.05)
    monkeypatch.setattr("pellucid.training.timing.REPLAN_TOLERANCE", 0.0)
    monkeypatch.setattr("pellucid.training.checkpoints.KEEP", 1000)
    from pellucid.training.train import resume

    first, growth = (4.0, 0.0) if slower else (1 / 2, 1 / 50)
    clock.step_seconds = lambda step: MEASURED_SECONDS * (first + growth * step)
    settings = {
        "dropout": 0.1,
        "accumulate": 2,
        "checkpoint_every": 5,
        "eval_every": 9999 if slower else 0,
    }

    run = tmp_path / "run"
    outcome = train_tiny(run, minutes=0.005 if slower else 0.02, **settings)
    plans = outcome.run.journal.of("plan")
    assert len(plans) > (1 if slower else 3), "the clock never spoke"
    expected = bits_of(run)

    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    early = max(step for step in outcome.run.checkpoints.steps() if step < plans[-1 if slower else 2]["step"])
    for later in outcome.run.checkpoints.steps():
        if later > early:
            shutil.rmtree(copy / "checkpoints" / f"step-{later:08d}")
    resume(RunFolder(copy))
    assert bits_of(copy) == expected
    assert RunFolder(copy).journal.of("plan") == plans


def test_a_run_killed_between_config_and_plan_starts_as_it_should(finished_run: Path, bits_of: BitsOf):
    from pellucid.training.train import resume

    expected = bits_of(finished_run)
    shutil.rmtree(finished_run / "checkpoints")
    for name in ("journal.jsonl", "metrics.jsonl", "model.safetensors"):
        (finished_run / name).unlink()
    resume(RunFolder(finished_run))
    assert bits_of(finished_run) == expected


def test_an_extended_run_that_is_killed_goes_on_as_extended(
    train_tiny: Callable[..., Any], tmp_path: Path, bits_of: BitsOf, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pellucid.training.checkpoints.KEEP", 1000)
    from pellucid.training.train import resume

    run = tmp_path / "run"
    train_tiny(run, steps=20, eval_every=7, checkpoint_every=10)
    resume(RunFolder(run), steps=40)
    expected = bits_of(run)
    # the evaluation that ended the first part is still there, and counts when the best is chosen
    assert [step for step, *_ in expected.evaluations] == [0, 7, 14, 20, 21, 28, 35, 40]
    for step in RunFolder(run).checkpoints.steps():
        if step > 20:
            shutil.rmtree(run / "checkpoints" / f"step-{step:08d}")
    resume(RunFolder(run))
    assert bits_of(run) == expected


def test_all_random_states_are_kept(tmp_path: Path):
    import numpy as np
    import torch

    from pellucid.training.checkpoints import random_states, restore_random_states

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), torch.rand(()).item()  # noqa: NPY002

    tensors, numbers = random_states()
    numbers = json.loads(json.dumps(numbers))
    first = draw()
    assert draw() != first
    restore_random_states(tensors, numbers)
    assert draw() == first


# ---------------------------------------------------------------------- the journal itself


def test_a_torn_line_was_never_written(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    Journal(path).write("plan", step=0)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "plan", "st')
    assert [entry["step"] for entry in Journal(path).of("plan")] == [0]
    assert path.read_bytes() != whole, (
        "reading must not write: another process may be in the middle of a line"
    )
    Journal(path).write("plan", step=9)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 9]


def test_an_entry_is_synced_before_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[str] = []
    path = tmp_path / "journal.jsonl"
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.read_text()))
    Journal(path).write("plan", step=0)
    assert synced == ['{"event": "plan", "step": 0}\n']
