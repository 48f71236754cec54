"""What is passed on to trackers: read back with their own readers; the same series after a resume; numbers alone."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trainers import Notes

from pellucid.errors import InputError
from pellucid.training.run_folder import RunFolder
from pellucid.training.train import resume

Train = Callable[..., Any]


class Kept:
    """A sink in a few lines."""

    def __init__(self) -> None:
        self.values: dict[str, dict[int, float]] = {}
        self.closed = 0

    def log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            assert isinstance(value, float)
            self.values.setdefault(name, {})[step] = value

    def close(self) -> None:
        self.closed += 1


def recorded(run: Path) -> dict[str, dict[int, float]]:
    """What the run's own files say."""
    records = RunFolder(run).metrics()
    finished = RunFolder(run).finished
    assert finished is not None
    return {
        "train/loss": {r["step"]: r["loss"] for r in records if "loss" in r},
        "val/loss": {r["step"]: r["dev_loss"] for r in records if "dev_loss" in r},
        "val/bpb": {r["step"]: r["dev_bits_per_byte"] for r in records if "dev_loss" in r},
        "final/loss": {finished["step"]: finished["validation_loss"]},
        "final/bpb": {finished["step"]: finished["validation_bits_per_byte"]},
    }


def test_a_sink_of_ones_own_hears_the_runs_numbers(train_tiny: Train, tmp_path: Path):
    sink, notes = Kept(), Notes()
    train_tiny(tmp_path / "run", sinks=[sink], observer=notes)
    assert set(sink.values.pop("perf/tokens_per_s")) == set(range(1, 25))
    assert sink.values == recorded(tmp_path / "run")
    assert sink.closed == 1 and notes.evaluations, "the observer hears everything, too"


def test_a_sink_that_fails_is_given_up_and_not_the_training(train_tiny: Train, tmp_path: Path):
    class Failing(Kept):
        def log(self, values: dict[str, float], step: int) -> None:
            if step == 5:
                raise RuntimeError("no more room")
            super().log(values, step)

    failing, other, notes = Failing(), Kept(), Notes()
    train_tiny(tmp_path / "run", sinks=[failing, other], observer=notes)
    assert max(failing.values["train/loss"]) == 4 and max(other.values["train/loss"]) == 24
    assert [n for n in notes.notes if "Failing failed (RuntimeError: no more room)" in n]


@pytest.mark.parametrize(("sink", "message"), [("mlflow", "there is no tracker"), (object(), "is no sink")])
def test_refused_before_anything_is_read(sink: Any, message: str, train_tiny: Train, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        train_tiny(tmp_path / "run", sinks=[sink])
    assert not (tmp_path / "run").exists()


def test_a_missing_package_is_named_with_the_command(
    cli: Callable[..., Any], text_file: Path, monkeypatch: pytest.MonkeyPatch
):
    found = importlib.util.find_spec
    gone = ("tensorboard", "wandb")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in gone else found(name))
    refused = cli("train", text_file, "--track", "tensorboard")
    assert refused.code == 2 and 'pip install -e ".[tracking]"' in refused.err
    assert "pip install wandb" in cli("train", text_file, "--track", "wandb").err
    assert "add --track" in cli("train", text_file, "--track-dir", "here").err


def events(folder: Path) -> dict[str, dict[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    read.Reload()
    assert not any(kept for kind, kept in read.Tags().items() if kind != "scalars"), "numbers alone"
    return {tag: {e.step: e.value for e in read.Scalars(tag)} for tag in read.Tags()["scalars"]}


def test_tensorboard_reads_back_what_the_run_recorded_after_a_rewind_too(train_tiny: Train, tmp_path: Path):
    pytest.importorskip("tensorboard")
    run = tmp_path / "run"
    train_tiny(run, sinks=["tensorboard"], steps=24)
    # stopped after step 24, and back to the checkpoint of step 16
    shutil.rmtree(RunFolder(run).checkpoints.path(24))
    resume(run, steps=30, sinks=["tensorboard"])
    read = events(run / "tensorboard")
    assert set(read.pop("perf/tokens_per_s")) == set(range(1, 31))
    for name, series in recorded(run).items():
        assert read[name] == pytest.approx(series, rel=1e-6), name


def test_runs_that_share_a_folder_are_kept_apart_and_one_begun_anew_replaces_its_series(
    train_tiny: Train, tmp_path: Path
):
    pytest.importorskip("tensorboard")
    for name, steps in (("one", 4), ("two", 6), ("two", 3)):
        train_tiny(
            tmp_path / name, sinks=["tensorboard"], track_dir=tmp_path / "kept", steps=steps, overwrite=True
        )
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"one", "two"}
    assert sorted(events(tmp_path / "kept" / "one")["train/loss"]) == [1, 2, 3, 4]
    assert sorted(events(tmp_path / "kept" / "two")["train/loss"]) == [1, 2, 3]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_the_adapter_of_the_two_that_are_alike(
    name: str,
    train_tiny: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    if importlib.util.find_spec(name) is None:  # not imported: it must find its folder when it is
        pytest.skip(f"{name} is not installed")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run, notes = tmp_path / "run", Notes()
    train_tiny(run, sinks=[name], track_dir=tmp_path / "kept", observer=notes, sample_prompt="The cat")
    assert not [note for note in notes.notes if "failed" in note]
    assert not capsys.readouterr().out, "what they say is no result"
    resume(run, steps=30, sinks=[name], track_dir=tmp_path / "kept")
    train_tiny(tmp_path / "other" / "run", sinks=[name], track_dir=tmp_path / "kept")
    if name == "wandb":
        parts = (tmp_path / "kept" / "wandb").glob("offline-run-*")
        n_parts = Counter(part.name.rsplit("-", 1)[1] for part in parts)
        assert sorted(n_parts.values()) == [1, 2], "one run in two parts, and another of its name"
        assert not list((tmp_path / "kept").rglob("requirements.txt")), "what is installed is no number"
    else:
        (database,) = (tmp_path / "kept").glob("*.db")
        with contextlib.closing(sqlite3.connect(database)) as opened:
            rows = opened.execute("select run_id, step, metrics from metrics").fetchall()
        steps = Counter((run, step) for run, step, kept in rows if "train/loss" in str(kept))
        assert sorted(Counter(run for run, _ in steps).values()) == [24, 30], "two runs of one name"
        assert set(steps.values()) == {1}, "no step twice"
    files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    assert b"train/loss" in stored and b"val/bpb" in stored
    assert b"The cat" not in stored, "no text is passed on"
