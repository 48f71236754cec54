"""The gradients of one batch, computed part by part.

Shapes: B windows of a part, T context length.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from pellucid.model.config import IGNORE
from pellucid.model.experts import loads, reset_loads, take_balance_loss
from pellucid.model.transformer import LanguageModel, next_token_loss
from pellucid.text.windows import Windows
from pellucid.training.config import TrainConfig
from pellucid.training.machine import Machine, autocast


@dataclasses.dataclass(frozen=True)
class BatchLoss:
    """Mean loss in nats of a batch's `n_targets` targets; of a mixture of experts also how even their loads were.

    `balance_loss` is what was added to the loss for it, `expert_loads` the share of each layer's choices (layers, E)
    that went to each expert.
    """

    loss: float
    n_targets: int
    balance_loss: float | None = None
    expert_loads: list[list[float]] | None = None


def fill_gradients(
    model: LanguageModel, windows: Windows, first_window: int, config: TrainConfig, machine: Machine
) -> BatchLoss:
    """Set the gradients of `model` to those of the mean loss of one batch, from `config.accumulate` equal parts.

    Parts give the gradients of the whole, but for the balancing loss of experts, which each part has of its own.
    """
    clear_gradients(model)
    reset_loads(model)
    inputs, targets = windows.batch(first_window, config.batch_size)
    n_targets = int((targets != IGNORE).sum())
    device = machine.device
    x, y = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
    size = config.batch_size // config.accumulate
    total, total_balance = torch.zeros((), device=device), None
    for part, wanted in zip(x.split(size), y.split(size), strict=True):
        with autocast(device, machine.precision):
            logits = model(part)
        # normalised by the targets of the whole batch, so that splitting it changes nothing
        loss = next_token_loss(logits, wanted, reduction="sum") / n_targets
        total += loss.detach()
        if (balance := take_balance_loss(model)) is not None:
            balance = balance / config.accumulate
            total_balance = balance.detach() + (0.0 if total_balance is None else total_balance)
            loss = loss + balance
        loss.backward()
    counts = loads(model).cpu().double()
    shares = counts / counts.sum(dim=1, keepdim=True)
    return BatchLoss(
        total.item(),
        n_targets,
        None if total_balance is None else total_balance.item(),
        shares.tolist() or None,
    )


def clear_gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = None
