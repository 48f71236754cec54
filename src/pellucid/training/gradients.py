"""The gradients of one batch, computed part by part.

Shapes: B windows, or rows, of a part, T tokens of each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.model.config import IGNORE
from pellucid.model.experts import loads, reset_loads, set_loads, take_balance_loss
from pellucid.model.transformer import LanguageModel, next_token_loss
from pellucid.training.config import TrainConfig
from pellucid.training.machine import Machine, autocast
from pellucid.training.ranks import ALONE, Ranks


@dataclasses.dataclass(frozen=True)
class BatchLoss:
    """Mean loss in nats of a batch's `n_targets` targets; `n_tokens` were read for it.

    Of a mixture of experts also how even their loads were:

    `balance_loss` is what was added to the loss for it, `expert_loads` the share of each layer's choices (layers, E)
    that went to each expert.
    """

    loss: float
    n_targets: int
    balance_loss: float | None = None
    expert_loads: list[list[float]] | None = None
    n_tokens: int = 0


class Batches(Protocol):
    """An endless sequence of windows, or rows, to learn from."""

    context_length: int
    per_epoch: int

    @property
    def n_tokens(self) -> int: ...

    def tokens_of(self, count: int) -> int: ...

    def batch(self, first: int, count: int) -> tuple[np.ndarray, ...]: ...


class Batch(NamedTuple):
    """Inputs and targets (B, T) int64; where a row holds several documents also whose each token is, and where.

    Padding is of no document: `documents` is negative there.
    """

    inputs: Tensor
    targets: Tensor
    documents: Tensor | None = None
    positions: Tensor | None = None

    @property
    def n_tokens(self) -> int:
        """Tokens that are read, padding not counted; of windows, those that are learned."""
        if self.documents is None:
            return int((self.targets != IGNORE).sum())
        return int((self.documents >= 0).sum())

    def parts(self, size: int) -> Iterator[Batch]:
        """Rows `size` by `size`, each part no wider than its longest row."""
        split = [None if each is None else each.split(size) for each in self]
        for index in range(-(-len(self.inputs) // size)):
            yield Batch(*(None if each is None else each[index] for each in split))._trimmed()  # pyright: ignore

    def _trimmed(self) -> Batch:
        if self.documents is None:
            return self
        used = (self.documents >= 0).any(dim=0).nonzero()
        width = int(used.max()) + 1 if len(used) else 1
        return Batch(*(None if each is None else each[:, :width] for each in self))  # pyright: ignore


def to_batch(arrays: Sequence[np.ndarray], device: str) -> Batch:
    return Batch(*(torch.from_numpy(each).to(device) for each in arrays))


def summed_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of all targets, in nats; where rows hold documents, only what is learned has its logits computed."""
    if batch.documents is None:
        return next_token_loss(model(batch.inputs), batch.targets, reduction="sum")
    wanted = batch.targets != IGNORE
    logits = model(batch.inputs, documents=batch.documents, positions=batch.positions, wanted=wanted)
    return next_token_loss(logits, batch.targets[wanted], reduction="sum")


def fill_gradients(
    model: LanguageModel,
    windows: Batches,
    first_window: int,
    config: TrainConfig,
    machine: Machine,
    ranks: Ranks = ALONE,
) -> BatchLoss:
    """Set the gradients of `model` to those of the mean loss of one batch, from `config.accumulate` equal parts.

    Parts give the gradients of the whole, but for the balancing loss of experts, which each part has of its own.
    Of several processes each computes its share of the windows, in so many parts; the result is that of all.
    """
    clear_gradients(model)
    reset_loads(model)
    device, wrapped = machine.device, ranks.wrap(model)
    share = config.share_of(ranks.world)
    batch = to_batch(windows.batch(first_window + ranks.rank * share, share), device)
    n_targets, n_tokens = map(int, ranks.sums([int((batch.targets != IGNORE).sum()), batch.n_tokens]))
    total, total_balance = torch.zeros((), device=device), None
    parts = list(batch.parts(share // config.accumulate))
    for number, part in enumerate(parts, 1):
        with ranks.synced(wrapped, number == len(parts)):
            with autocast(device, machine.precision):
                summed = summed_loss(wrapped, part)
            # normalised by the targets of the whole batch, so that splitting it changes nothing
            loss = summed / n_targets
            total += loss.detach()
            if (balance := take_balance_loss(model)) is not None:
                balance = balance / (len(parts) * ranks.world)
                total_balance = balance.detach() + (0.0 if total_balance is None else total_balance)
                loss = loss + balance
            if ranks.world > 1:
                loss = loss * ranks.world  # gradients become the mean over processes, and their sum is wanted
            loss.backward()
    return _of_all(model, total, total_balance, n_targets, n_tokens, ranks)


def _of_all(
    model: LanguageModel,
    total: Tensor,
    balance: Tensor | None,
    n_targets: int,
    n_tokens: int,
    ranks: Ranks,
) -> BatchLoss:
    """What is reported of a batch, summed over processes; so are the loads that `model` has counted."""
    counts = loads(model)
    if ranks.world > 1 and counts.numel():
        set_loads(model, ranks.add_up(counts))
    counts = counts.cpu().double()
    shares = counts / counts.sum(dim=1, keepdim=True)
    loss, of_balance = ranks.sums([total.item(), 0.0 if balance is None else balance.item()])
    return BatchLoss(
        loss, n_targets, None if balance is None else of_balance, shares.tolist() or None, n_tokens
    )


def clear_gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = None
