"""What a training does between its first step and its last: best weights, early stopping, budgets, records."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clocks import MEASURED_SECONDS, Clock
from safetensors.torch import load_file
from trainers import run_to_end, script_dev_losses

import pellucid
from pellucid.errors import InputError
from pellucid.text.bigrams import PairCounts, count_pairs
from pellucid.training.checkpoints import Checkpoints
from pellucid.training.data import TrainingData
from pellucid.training.evaluation import Evaluator
from pellucid.training.loop import Trainer
from pellucid.training.report import Outcome
from pellucid.training.run_folder import RunFolder
from pellucid.training.train import resume

MakeTrainer = Callable[..., Trainer]
Train = Callable[..., Outcome]


# ---------------------------------------------------------------------- best weights


def test_the_runs_weights_are_those_of_the_best_dev_loss(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
):
    trainer = make_trainer(steps=10, eval_every=2)
    script_dev_losses(monkeypatch, trainer, [4.0, 3.0, 2.0, 2.5, 3.5, 2.0])
    heard = run_to_end(trainer)
    assert [report.best for report in heard.evaluations] == [True, True, True, False, False, False]
    assert trainer.progress.best_step == 4
    best = load_file(trainer.run.checkpoints.path(4) / "model.safetensors")
    published = load_file(trainer.run.model_path)
    assert all(torch.equal(published[name], tensor) for name, tensor in best.items())
    last = load_file(trainer.run.checkpoints.path(10) / "model.safetensors")
    assert any(not torch.equal(published[name], tensor) for name, tensor in last.items())


def test_the_last_two_checkpoints_and_the_best_are_kept(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
):
    trainer = make_trainer(steps=20, eval_every=5, checkpoint_every=2)
    script_dev_losses(monkeypatch, trainer, [4.0, 2.0, 3.0, 3.0, 3.0])
    run_to_end(trainer)
    assert trainer.run.checkpoints.steps() == [5, 18, 20]


def test_patience_stops_after_so_many_evaluations_without_a_better_loss(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
):
    trainer = make_trainer(steps=20, eval_every=2, patience=2)
    script_dev_losses(monkeypatch, trainer, [4.0, 3.0, 3.1, 2.9, 2.95, 3.0, 1.0])
    heard = run_to_end(trainer)
    assert (trainer.progress.step, trainer.progress.best_step) == (10, 6)
    assert any("stopping early" in note for note in heard.notes)


def test_without_a_dev_split_the_last_weights_are_taken(train_tiny: Train, tmp_path: Path):
    outcome = train_tiny(tmp_path / "run", dev_fraction=0.0)
    assert outcome.best_step == outcome.steps == 24
    last = load_file(outcome.run.checkpoints.path(24) / "model.safetensors")
    assert all(torch.equal(load_file(outcome.run.model_path)[n], t) for n, t in last.items())
    evaluations = [r for r in outcome.run.metrics() if "dev_loss" in r]
    assert {record["dev_loss"] for record in evaluations} == {None}


# ---------------------------------------------------------------------- what is recorded


def test_the_validation_score_is_that_of_the_loaded_run(finished_run: Path, text_file: Path):
    run = pellucid.load(finished_run)
    text = text_file.read_text(encoding="utf-8")
    validation = text[int(0.9 * len(text)) :]
    written = RunFolder(finished_run).journal.of("finished")[-1]
    assert run.loss(validation) == pytest.approx(written["validation_loss"], rel=1e-5)
    assert run.score(validation).bits_per_byte == pytest.approx(written["validation_bits_per_byte"], rel=1e-5)
    assert written["bigram_loss"] > 0


def test_metrics_tell_of_every_step_and_evaluation(finished_run: Path):
    records = RunFolder(finished_run).metrics()
    steps = [record for record in records if "loss" in record]
    assert [record["step"] for record in steps] == list(range(1, 25))
    assert set(steps[0]) == {
        *("step", "tokens", "seconds", "rate", "loss", "gradient_norm"),
        "tokens_per_second",
    }
    assert all(math.isfinite(value) for record in steps for value in record.values())
    evaluations = [record for record in records if "dev_loss" in record]
    assert [record["step"] for record in evaluations] == [0, 8, 16, 24]
    assert evaluations[0]["dev_loss"] == pytest.approx(math.log(32), rel=0.02)
    assert evaluations[-1]["dev_loss"] < evaluations[0]["dev_loss"] - 0.3


def test_a_run_folder_holds_what_design_says(finished_run: Path):
    names = {path.name for path in finished_run.iterdir()} - {".lock"}
    assert names == {
        *("config.json", "tokenizer.json", "model.safetensors", "metrics.jsonl", "journal.jsonl"),
        *("loss.png", "samples.txt", "README.md", "checkpoints", "bigram.safetensors"),
    }
    checkpoint = {path.name for path in (finished_run / "checkpoints" / "step-00000024").iterdir()}
    assert checkpoint == {"model.safetensors", "optimizer.safetensors", "trainer.json", "manifest.json"}
    assert (finished_run / "loss.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((finished_run / "config.json").read_text())
    assert config["data"]["splits"]["characters"]["validation"] > 0
    assert (finished_run / "samples.txt").read_text().count("--- step") == 4


def test_the_pairs_of_the_training_split_are_kept(
    train_tiny: Train, finished_run: Path, text_file: Path, tmp_path: Path
):
    """The same bytes whenever, and the baseline is scored from them."""
    counts = PairCounts.load(finished_run / "bigram.safetensors")
    assert counts.total + 1 == RunFolder(finished_run).config()["data"]["tokens"]["train"]
    train_tiny(tmp_path / "again", steps=8)
    again = (tmp_path / "again" / "bigram.safetensors").read_bytes()
    assert again == (finished_run / "bigram.safetensors").read_bytes()
    assert "bigram.safetensors" in (finished_run / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("state", ["missing", "damaged", "of another text"])
def test_a_resumed_run_gets_the_pairs_it_lacks(finished_run: Path, state: str):
    path = finished_run / "bigram.safetensors"
    before, told = path.read_bytes(), RunFolder(finished_run).journal.of("finished")[-1]["bigram_loss"]
    path.unlink()
    if state == "damaged":
        path.write_bytes(before[:-3])
    if state == "of another text":
        count_pairs(np.arange(20), 32).save(path)
    resume(RunFolder(finished_run), steps=26)
    assert path.read_bytes() == before
    assert RunFolder(finished_run).journal.of("finished")[-1]["bigram_loss"] == told


def test_a_copied_run_works_elsewhere(finished_run: Path, tmp_path: Path):
    here = pellucid.load(finished_run).generate("The ", max_tokens=20, seed=1)
    moved = finished_run.rename(tmp_path / "elsewhere")
    assert pellucid.load(moved).generate("The ", max_tokens=20, seed=1) == here


# ---------------------------------------------------------------------- budgets


def test_epochs_read_every_token_so_often(train_tiny: Train, tmp_path: Path):
    outcome = train_tiny(tmp_path / "run", epochs=1, batch_size=64, context_length=32)
    n_tokens = outcome.run.config()["data"]["tokens"]["train"]
    assert n_tokens <= outcome.tokens < n_tokens + 64 * 32


def test_train_tokens_are_rounded_up_to_whole_steps(train_tiny: Train, tmp_path: Path):
    outcome = train_tiny(tmp_path / "run", train_tokens=1000)
    assert outcome.steps == math.ceil(1000 / (4 * 16))


def test_warmup_is_cut_to_a_tenth_of_the_plan_and_said_so(make_trainer: MakeTrainer):
    trainer = make_trainer(steps=30, warmup_steps=10)
    heard = run_to_end(trainer)
    assert trainer.warmup_steps == 3
    assert "Warm-up is cut to a tenth of the plan: 3 steps." in heard.notes
    rates = [r["rate"] / trainer.config.lr for r in trainer.run.metrics() if "rate" in r]
    assert rates[:4] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_a_fitting_warmup_is_left_alone(make_trainer: MakeTrainer):
    trainer = make_trainer(steps=30, warmup_steps=3)
    assert not run_to_end(trainer).notes


def test_minutes_end_the_run_when_they_are_over(
    train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
):
    """Though steps take three times as long as was measured, and then again as long as was measured."""
    monkeypatch.setattr("pellucid.training.timing.REPLAN_SECONDS", 0.1)
    clock.step_seconds = lambda step: MEASURED_SECONDS * (3 if step < 50 else 1)
    outcome = train_tiny(tmp_path / "run", minutes=3 / 60, eval_every=0)
    assert outcome.seconds == pytest.approx(3, abs=0.15)
    plans = outcome.run.journal.of("plan")
    assert len(plans) > 2
    assert plans[-1]["total_steps"] == outcome.steps
    rates = [record["rate"] for record in outcome.run.metrics() if "rate" in record]
    assert rates[-1] / max(rates) < 0.2  # the fall of the schedule came in time


@pytest.mark.parametrize("later", [0.02, 0.5])
def test_a_slow_evaluation_does_not_end_a_run_bounded_by_minutes(
    later: float, train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
):
    """Ten more like the first, on a machine that is busy or cold, would take longer than the run may."""
    monkeypatch.setattr("pellucid.training.timing.REPLAN_SECONDS", 0.1)
    evaluate = Trainer._evaluate

    def slow(trainer: Trainer) -> None:
        clock.now += later if trainer.progress.step else 0.5
        evaluate(trainer)

    monkeypatch.setattr(Trainer, "_evaluate", slow)
    outcome = train_tiny(tmp_path / "run", minutes=3 / 60, eval_every=0)
    assert 2.7 < outcome.seconds < 4.1  # no more than two evaluations late
    assert outcome.steps > (200 if later == 0.02 else 40)


# ---------------------------------------------------------------------- learning


def test_it_learns_what_context_tells_and_counting_pairs_cannot(
    grammar: Callable[..., str], train_tiny: Train, tmp_path: Path
):
    """Within a sentence of the grammar most letters can be known from those before, but not from the last alone."""
    text = tmp_path / "farm.txt"
    text.write_text(grammar(1500, seed=1), encoding="utf-8")
    outcome = train_tiny(
        tmp_path / "run", text, steps=250, n_layers=2, d_model=48, context_length=32, batch_size=12, lr=1e-2
    )
    assert outcome.bigram.loss > 1.0
    assert outcome.validation.loss < 0.55 * outcome.bigram.loss


def test_the_trained_bigram_approaches_the_counted_one(train_tiny: Train, tmp_path: Path):
    outcome = train_tiny(tmp_path / "run", preset="bigram", steps=300, batch_size=16, eval_every=300)
    assert outcome.validation.loss == pytest.approx(outcome.bigram.loss, abs=0.03)


TINYSHAKESPEARE = Path(__file__).parents[3] / "shared/data/tinyshakespeare.txt"


@pytest.mark.slow
@pytest.mark.skipif(not TINYSHAKESPEARE.exists(), reason=f"needs {TINYSHAKESPEARE}")
def test_a_minute_on_shakespeare_is_clearly_under_the_counted_bigram(tmp_path: Path):
    text = tmp_path / "part.txt"
    text.write_text(TINYSHAKESPEARE.read_text()[:200_000])
    outcome = pellucid.train(
        text, out=tmp_path / "run", epochs=3, d_model=96, n_layers=3, context_length=64, precision="float32"
    )
    assert outcome.bigram.loss > 2.4
    assert outcome.validation.loss < 2.0


# ---------------------------------------------------------------------- extending


def test_a_finished_run_given_more_steps_learns_on(finished_run: Path):
    before = RunFolder(finished_run).journal.of("finished")[-1]["validation_loss"]
    outcome = resume(RunFolder(finished_run), steps=60)
    rates = {r["step"]: r["rate"] for r in outcome.run.metrics() if "rate" in r}
    assert outcome.steps == 60
    assert rates[25] == rates[40] == max(rates.values())
    assert rates[60] < 0.1 * rates[40]
    assert outcome.validation.loss < before - 0.1
    assert outcome.run.config()["training"]["steps"] == 60


def test_the_same_budget_again_is_no_extension(finished_run: Path):
    journal = (finished_run / "journal.jsonl").read_text().splitlines()
    resume(RunFolder(finished_run), steps=24)
    assert (finished_run / "journal.jsonl").read_text().splitlines()[: len(journal)] == journal
    assert not RunFolder(finished_run).journal.of("extension")


def test_a_batch_can_be_split_further_on_resuming(finished_run: Path):
    outcome = resume(RunFolder(finished_run), steps=30, accumulate=2)
    assert outcome.steps == 30
    assert outcome.run.config()["training"]["accumulate"] == 2


@pytest.mark.parametrize(
    "change",
    [{"d_model": 32}, {"lr": 1e-4}, {"seed": 3}, {"tokenizer": "bpe"}, {"dropout": 0.5}, {"nonsense": 1}],
)
def test_a_resumed_run_keeps_its_settings(finished_run: Path, change: dict[str, Any]):
    with pytest.raises(InputError, match=next(iter(change))):
        resume(RunFolder(finished_run), **change)


def test_settings_that_are_the_runs_own_may_be_repeated(finished_run: Path):
    resume(RunFolder(finished_run), d_model=16, tokenizer="char", seed=0, precision="auto")


def test_a_checkpoint_is_not_written_twice(make_trainer: MakeTrainer):
    trainer = make_trainer(steps=4, eval_every=2, checkpoint_every=2)
    saved: list[Path] = []
    write = Checkpoints.save

    def counting(self: Checkpoints, checkpoint: Any, keep_also: int | None = None) -> Path:
        fresh = not self.path(checkpoint.step).exists()
        path = write(self, checkpoint, keep_also)
        saved.extend([path] if fresh else [])
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", counting)
        run_to_end(trainer)
    assert [path.name for path in saved] == ["step-00000000", "step-00000002", "step-00000004"]


def test_too_little_dev_text_counts_as_none(make_trainer: MakeTrainer, data: TrainingData):
    trainer = make_trainer(steps=4)
    trainer.data = dataclasses.replace(data, dev=data.dev[-2:])  # a character and the end of the text
    trainer.dev = trainer.data.dev
    assert Evaluator(data.tokenizer, 16).score(trainer.model, trainer.dev, "cpu").n_tokens == 0
    assert run_to_end(trainer).evaluations[-1].dev is None
    assert trainer.progress.best_step == 4


def test_resuming_takes_settings_that_the_run_has_by_default(train_tiny: Train, tmp_path: Path):
    run = train_tiny(tmp_path / "run", steps=2).run
    stored = json.loads(run.config_path.read_text())
    for part, name in (("training", "ema"), ("model", "mask")):  # as if the run were older than these
        del stored[part][name]
    run.config_path.write_text(json.dumps(stored))
    resume(run, steps=3, ema=0.0, mask="causal")
    with pytest.raises(InputError, match="was started with mask 'causal', not 'none'"):
        resume(run, steps=4, mask="none")
