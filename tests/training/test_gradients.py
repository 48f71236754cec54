"""One step: how a batch becomes gradients, and that the fast path and the plain one agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pellucid.training.loop import Trainer
from pellucid.training.observer import Observer, StepReport

MakeTrainer = Callable[..., Trainer]


def gradients(trainer: Trainer, first: int = 0) -> tuple[float, int, dict[str, Tensor]]:
    trainer.model.train()
    batch = trainer.gradients(first)
    found = {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}
    return batch.loss, batch.n_targets, found


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_accumulating_parts_is_the_big_batch(make_trainer: MakeTrainer, parts: int):
    whole, split = make_trainer(dropout=0.0), make_trainer(dropout=0.0, accumulate=parts)
    # the batch that holds the epoch's short window: its parts have different numbers of targets
    per_epoch, size = whole.windows.per_epoch, whole.config.batch_size
    short = next(n for n in range(0, per_epoch, size) if gradients(whole, n)[1] < size * 16)
    for first in (0, short):
        loss, n_targets, expected = gradients(whole, first)
        split_loss, split_targets, found = gradients(split, first)
        assert split_targets == n_targets
        assert split_loss == pytest.approx(loss, rel=1e-5)
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_the_loss_of_a_batch_is_its_mean_over_targets(make_trainer: MakeTrainer):
    trainer = make_trainer(dropout=0.0)
    inputs, targets = trainer.windows.batch(0, 8)
    with torch.no_grad():
        table = trainer.model(torch.from_numpy(inputs)).log_softmax(-1)
    expected = -table.gather(-1, torch.from_numpy(targets)[..., None]).mean().item()
    assert trainer.gradients(0).loss == pytest.approx(expected, rel=1e-5)


def test_clipping_bounds_the_norm_and_zero_leaves_it(make_trainer: MakeTrainer):
    for clip, bounded in ((0.01, True), (0.0, False)):
        trainer = make_trainer(clip=clip)
        trainer.gradients(0)
        told = trainer._gradient_norm()
        left = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]).norm()
        assert told > 0.01
        assert left.item() == pytest.approx(0.01 if bounded else told, rel=1e-3)


class Losses(Observer):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def stepped(self, report: StepReport) -> None:
        self.losses.append(report.loss)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_plain_path_takes_the_same_steps(make_trainer: MakeTrainer, optimizer: str):
    """Within 1e-3 nats over 20 steps: float32 sums in another order, fed back through the weights."""
    heard = []
    for plain in (False, True):
        trainer = make_trainer(plain=plain, optimizer=optimizer, n_layers=2, lr=5e-3)
        trainer.observer = Losses()
        trainer.start()
        trainer.train()
        heard.append(trainer.observer.losses)
    assert len(heard[0]) == 20
    assert heard[0][-1] < heard[0][0] - 0.5
    assert heard[1] == pytest.approx(heard[0], abs=1e-3)
