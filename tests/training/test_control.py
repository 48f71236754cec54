"""A training that is spoken to: paused, resumed, stopped, and asked for its weights, without changing its bits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from clocks import Clock
from safetensors.torch import load_file

from pellucid.errors import InputError
from pellucid.training.control import Control
from pellucid.training.failures import Interrupted
from pellucid.training.loop import Trainer
from pellucid.training.observer import Observer, StepReport
from pellucid.training.run_folder import RunFolder
from pellucid.training.weights import published_step

MakeTrainer = Callable[..., Trainer]


class Asking(Observer):
    """Calls back after a step, and keeps what is said."""

    def __init__(self, at: dict[int, Callable[[], object]]) -> None:
        self.at, self.notes = at, list[str]()

    def stepped(self, report: StepReport) -> None:
        self.at.get(report.step, lambda: None)()

    def note(self, message: str) -> None:
        self.notes.append(message)


def run_with(trainer: Trainer, at: dict[int, Callable[[], object]]) -> Asking:
    trainer.observer = Asking(at)
    trainer.start()
    trainer.train()
    return trainer.observer


def later(seconds: float, act: Callable[[], object]) -> threading.Thread:
    thread = threading.Timer(seconds, act)
    thread.start()
    return thread


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def bits(bits_of: Callable[[Path], Any]) -> Callable[[Trainer], Any]:
    return lambda trainer: bits_of(trainer.run.path)


@pytest.fixture(scope="module")
def bits_of() -> Iterator[Callable[[Path], Any]]:
    def read(run: Path) -> Any:
        folder = RunFolder(run)
        last = folder.checkpoints.path(folder.checkpoints.steps()[-1])
        steps = [(r["step"], r["loss"], r["rate"]) for r in folder.metrics() if "loss" in r]
        files = [last / "model.safetensors", last / "optimizer.safetensors", folder.model_path]
        return last.name, [file.read_bytes() for file in files], steps, folder.samples_path.read_text()

    yield read


def test_a_paused_training_waits_saved_and_ends_with_the_same_bits(
    make_trainer: MakeTrainer, bits: Callable[[Trainer], Any]
):
    straight, trainer = make_trainer(dropout=0.1), make_trainer(dropout=0.1)
    run_with(straight, {})
    control = Control(trainer.run)
    seen: dict[str, Any] = {}

    def look() -> None:
        try:
            while not control.paused:
                time.sleep(0.01)
            time.sleep(0.3)  # in which it would go on
            seen["step"] = trainer.progress.step
            seen["checkpoints"] = trainer.run.checkpoints.steps()
        finally:
            control.resume()

    def pause() -> None:
        control.pause()
        threading.Thread(target=look).start()

    heard = run_with(trainer, {7: pause})
    assert seen == {"step": 7, "checkpoints": [0, 2, 4, 6, 7][-len(seen["checkpoints"]) :]}
    assert heard.notes == ["Paused at step 7; everything is saved.", "Going on."]
    assert bits(trainer) == bits(straight)
    assert not control.folder.exists()


def test_time_spent_paused_does_not_count(
    make_trainer: MakeTrainer, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    trainer = make_trainer()
    control = Control(trainer.run)
    clock.step_seconds = lambda step: 1.0
    paused: list[float] = []

    def sleep(seconds: float) -> None:
        paused.append(1000.0)
        clock.now += 1000.0
        if len(paused) == 3:
            control.resume()

    monkeypatch.setattr(clock, "sleep", sleep)
    run_with(trainer, {5: control.pause})
    assert clock.now == 20 + sum(paused) == 3020
    seconds = [record["seconds"] for record in trainer.run.metrics() if "loss" in record]
    assert seconds == pytest.approx(list(range(1, 21)))


def test_weights_are_copied_between_two_steps_and_change_nothing(
    make_trainer: MakeTrainer, bits: Callable[[Trainer], Any]
):
    settings = {"dropout": 0.1, "ema": 0.9, "checkpoint_every": 1}
    straight, trainer = make_trainer(**settings), make_trainer(**settings)
    run_with(straight, {})
    control, kept = Control(trainer.run), dict[int, Any]()

    def look() -> None:
        path = trainer.run.live_path
        kept[published_step(path) or -1] = load_file(path)

    run_with(trainer, {5: control.want_weights, 6: look, 9: control.want_weights, 12: look})
    assert sorted(kept) == [5, 9], "the copy is of the step after which it was wanted"
    assert not same(kept[5], kept[9])
    assert bits(trainer) == bits(straight)


def test_a_copy_has_the_averaged_weights(make_trainer: MakeTrainer):
    trainer = make_trainer(ema=0.9, eval_every=5)
    control, kept = Control(trainer.run), list[dict[str, torch.Tensor]]()

    def look() -> None:
        kept.extend([load_file(trainer.run.live_path), weights(trainer.run.path)])

    run_with(trainer, {5: control.want_weights, 6: look})
    live, best = kept
    assert same(live, best), "the evaluation at step 5 published the same average"


def test_weights_are_given_while_paused(make_trainer: MakeTrainer):
    trainer = make_trainer()
    control = Control(trainer.run)
    steps: list[int | None] = []

    def ask() -> None:
        try:
            while not control.paused:
                time.sleep(0.01)
            control.want_weights()
            while not trainer.run.live_path.exists():  # the wish goes before the copy comes
                time.sleep(0.01)
            steps.append(published_step(trainer.run.live_path))
        finally:
            control.resume()

    def pause() -> None:
        control.pause()
        threading.Thread(target=ask).start()

    run_with(trainer, {4: pause})
    assert steps == [4]


@pytest.mark.parametrize("paused", [False, True])
def test_a_stop_saves_and_leaves_as_ctrl_c_does(make_trainer: MakeTrainer, paused: bool):
    trainer = make_trainer()
    control = Control(trainer.run)

    def stop() -> None:
        if paused:
            control.pause()
            later(0.3, control.stop)
        else:
            control.stop()

    with pytest.raises(Interrupted, match="stopped at step 6; everything is saved"):
        run_with(trainer, {6: stop})
    assert trainer.run.checkpoints.steps()[-1] == 6
    control.clear()
    assert not control.folder.exists()


def test_a_full_disk_does_not_end_a_training_that_is_only_looked_at(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
):
    trainer = make_trainer()

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "_copy_weights", full)
    heard = run_with(trainer, {3: Control(trainer.run).want_weights})
    assert trainer.progress.step == 20
    assert heard.notes == ["The weights could not be copied for looking at: No space left on device."]


def test_old_wishes_are_forgotten_when_a_training_starts_and_ends(finished_run: Path):
    from pellucid.training.train import resume

    run = RunFolder(finished_run)
    control = Control(run)
    control.pause()
    control.stop()
    (control.folder / "paused").touch()
    run.live_path.write_bytes(b"of a training that was killed")
    resume(run, steps=26)
    assert run.checkpoints.steps()[-1] == 26
    assert not control.folder.exists()
    assert not run.live_path.exists()


def test_nobody_gives_weights_of_a_run_that_is_not_trained(finished_run: Path):
    with pytest.raises(InputError, match="no training goes on"):
        Control(RunFolder(finished_run)).fetch_weights()


def test_a_wish_to_a_run_that_is_gone_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="not there any more"):
        Control(RunFolder(tmp_path / "gone")).pause()


def test_looking_costs_next_to_nothing(make_trainer: MakeTrainer):
    control = Control(make_trainer().run)
    laps = []
    for _ in range(100):  # the best of them: others wait for a busy machine
        began = time.perf_counter()
        for _ in range(100):
            control.asked()
        laps.append(time.perf_counter() - began)
    assert min(laps) / 100 < 50e-6  # about 1 µs; a step takes thousands
