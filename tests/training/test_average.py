"""The average of the weights: its recursion, that it is what is scored and kept, and that it comes back on resuming."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pellucid.training.average import AveragedWeights
from pellucid.training.loop import Trainer

MakeTrainer = Callable[..., Trainer]


def test_it_is_the_recursion_and_swapping_twice_changes_nothing():
    layer = torch.nn.Linear(3, 2)
    average, wanted = AveragedWeights(layer, 0.9), layer.weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            layer.weight += torch.randn(2, 3)
        average.update(step)
        decay = min(0.9, step / (step + 9))
        wanted = decay * wanted + (1 - decay) * layer.weight.detach()
    raw = layer.weight.detach().clone()
    with average.applied():
        torch.testing.assert_close(layer.weight.detach(), wanted)
    assert torch.equal(layer.weight, raw)


def test_a_decay_of_nothing_holds_nothing():
    layer = torch.nn.Linear(3, 2)
    average = AveragedWeights(layer, 0.0)
    average.update(1)
    with average.applied():
        assert average.state_tensors() == {}


def test_what_is_scored_and_kept_is_the_average(make_trainer: MakeTrainer):
    trainer = make_trainer(ema=0.95, steps=40, eval_every=40, lr=3e-3)
    trainer.start()
    trainer.train()
    kept = load_file(trainer.run.model_path)
    raw = dict(trainer.model.named_parameters())
    assert any(not torch.equal(kept[name], weight) for name, weight in raw.items())
    with trainer.average.applied():
        assert all(torch.equal(kept[name], w) for name, w in trainer.model.named_parameters())
        score = trainer._dev_score()
    assert score is not None
    last = json.loads(trainer.run.metrics_path.read_text().splitlines()[-1])
    assert last["dev_loss"] == score.loss


@pytest.mark.parametrize("settings", [{}, {"feedforward": "experts", "n_experts": 4, "balance": "bias"}])
def test_a_checkpoint_brings_back_average_and_balance(make_trainer: MakeTrainer, settings: dict[str, Any]):
    straight = make_trainer(ema=0.9, steps=12, dropout=0.1, **settings)
    straight.start()
    straight.train()
    stopped = make_trainer(ema=0.9, steps=12, dropout=0.1, **settings)
    stopped.start()
    stopped.model.train()
    for _ in range(7):
        stopped._step(0.0)
    stopped.save()
    again = make_trainer(ema=0.9, steps=12, dropout=0.1, **settings)
    for entry in stopped.run.journal.entries:
        again.run.journal.write(**entry)
    again.restore(stopped.run.checkpoints.newest_sound()[0])
    again.train()
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name
    for name, tensor in straight.average.averages.items():
        assert torch.equal(again.average.averages[name], tensor), name
