"""What a training does when a step goes wrong: it stops before the weights are spoilt, and says what to try."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from trainers import run_to_end

from pellucid.training.failures import Diverged, OutOfMemory
from pellucid.training.gradients import BatchLoss
from pellucid.training.loop import Trainer
from pellucid.training.report import Outcome

MakeTrainer = Callable[..., Trainer]
Train = Callable[..., Outcome]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_diverging_run_stops_before_the_step_that_would_spoil_it(make_trainer: MakeTrainer, optimizer: str):
    trainer = make_trainer(steps=3000, eval_every=3000, lr=90.0, schedule="constant", optimizer=optimizer)
    trainer.start()
    with pytest.raises(
        Diverged, match=r"(loss|norm) is .*learning rate.*: it was 90; try --lr 30; step \d+ is"
    ):
        trainer.train()
    saved, problems = trainer.run.checkpoints.newest_sound()
    assert problems == []
    assert 0 < saved.step == trainer.progress.step < 3000
    assert all(tensor.isfinite().all() for tensor in saved.model.values())


def test_the_step_with_a_loss_that_is_no_number_is_not_taken(make_trainer: MakeTrainer):
    trainer = make_trainer(steps=10)
    computed = trainer.gradients

    def spoiled(first: int) -> BatchLoss:
        batch = computed(first)
        return dataclasses.replace(batch, loss=math.nan) if trainer.progress.step == 7 else batch

    trainer.gradients = spoiled  # pyright: ignore[reportAttributeAccessIssue]
    trainer.start()
    with pytest.raises(Diverged, match="at step 8 the loss is nan, so this step was not taken"):
        trainer.train()
    straight = make_trainer(steps=10)
    straight.start()
    straight.model.train()
    for _ in range(7):
        straight._step(0.0)
    saved = trainer.run.checkpoints.newest_sound()[0]
    assert all(torch.equal(saved.model[n], t) for n, t in straight.model.state_dict().items())


def test_an_infinite_gradient_stops_as_well(make_trainer: MakeTrainer):
    trainer = make_trainer(steps=5)
    trainer.start()
    next(trainer.model.parameters()).register_hook(lambda gradient: gradient / 0)
    with pytest.raises(Diverged, match="gradient norm is"):
        trainer.train()
    assert trainer.progress.step == 0
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_saves_and_says_what_would_fit(make_trainer: MakeTrainer, error: Exception):
    trainer = make_trainer(steps=10, batch_size=12, accumulate=2)
    forward = trainer.model.forward

    def failing(*args: Any, **kwargs: Any) -> torch.Tensor:
        if trainer.progress.step == 3 and trainer.model.training:
            raise error
        return forward(*args, **kwargs)

    trainer.model.forward = failing
    trainer.start()
    with pytest.raises(
        OutOfMemory, match=r"at step 4 .* 6 windows at once .* --accumulate 4 .*step 3 is saved"
    ):
        trainer.train()
    assert trainer.run.checkpoints.newest_sound()[0].step == 3
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_a_step_that_was_not_taken_draws_the_same_dropout_when_it_is(make_trainer: MakeTrainer):
    trainer, straight = (make_trainer(steps=6, dropout=0.3, accumulate=2) for _ in range(2))
    forward, calls = trainer.model.forward, itertools.count()

    def failing(*args: Any, **kwargs: Any) -> torch.Tensor:
        if trainer.model.training and next(calls) == 5:  # the second half of the third batch
            raise MemoryError
        return forward(*args, **kwargs)

    trainer.model.forward = failing
    trainer.start()
    with pytest.raises(OutOfMemory, match="at step 3"):
        trainer.train()
    trainer.train()
    run_to_end(straight)
    expected = straight.model.state_dict()
    assert all(torch.equal(tensor, expected[n]) for n, tensor in trainer.model.state_dict().items())


def test_other_errors_are_not_taken_for_a_lack_of_memory(make_trainer: MakeTrainer):
    trainer = make_trainer()
    trainer.start()
    trainer.model.forward = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        trainer.gradients(0)
