"""Mixture of experts: each token is handled by a few of many feed-forward layers.

Shapes: B batch, T time, N = B·T tokens, C d_model, F d_ff, E experts, k experts a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.model.config import ModelConfig
from pellucid.model.feedforward import SwiGLU


class GroupedLinear(nn.Module):
    """A linear layer an expert, each applied to its own rows, without biases."""

    def __init__(self, n_experts: int, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_experts, n_outputs, n_inputs))

    def forward(self, rows: Tensor, ends: Tensor) -> Tensor:
        """`rows` (N·k, inputs) sorted by expert; expert e has those from ends[e - 1] to ends[e], (E,) int32."""
        weight = self.weight
        if torch.is_autocast_enabled(rows.device.type):  # which does not know grouped products
            dtype = torch.get_autocast_dtype(rows.device.type)
            rows, weight = rows.to(dtype), weight.to(dtype)
        if _can_group(rows, weight):
            return F.grouped_mm(rows, weight.mT, offs=ends)
        return product_by_product(rows, weight, ends)


def _can_group(rows: Tensor, weight: Tensor) -> bool:
    """`grouped_mm` came with torch 2.10, knows few types on GPUs, and wants rows of multiples of 16 bytes."""
    there = rows.device.type == "cpu" and hasattr(F, "grouped_mm") and rows.dtype != torch.float64
    return there and all(size * rows.element_size() % 16 == 0 for size in weight.shape[1:])


def product_by_product(rows: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """What `grouped_mm` gives, by one product an expert: `weight` is (E, outputs, inputs)."""
    sizes = torch.diff(ends, prepend=ends.new_zeros(1)).tolist()
    return torch.cat([part @ one.T for part, one in zip(rows.split(sizes), weight, strict=True)])


class _Dispatch(torch.autograd.Function):
    """A copy of each token for each of its experts. Backward is `_Combine`'s forward pass, and the reverse.

    Left to themselves, both backward passes would add row after row on one core.
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, token_of: Tensor, place: Tensor) -> Tensor:
        """(N, C) tokens → (N·k, C) rows; row r is of token `token_of[r]`, token n has the rows `place[n]` (N, k)."""
        ctx.save_for_backward(place)
        return tokens.index_select(0, token_of)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        (place,) = ctx.saved_tensors
        return F.embedding_bag(place, gradient, mode="sum"), None, None


class _Combine(torch.autograd.Function):
    """The sum of each token's rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, token_of: Tensor, place: Tensor) -> Tensor:
        """(N·k, C) → (N, C)"""
        ctx.save_for_backward(token_of)
        return F.embedding_bag(place, rows, mode="sum")  # gathers and sums at once

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        (token_of,) = ctx.saved_tensors
        return gradient.index_select(0, token_of), None, None


class Experts(nn.Module):
    """E SwiGLU layers, of which a router picks k a token (Shazeer et al. 2017; Jiang et al. 2024, section 2.1).

    The chosen experts' weights are a softmax over their scores alone. Tokens are sorted by expert, so that each
    expert's matrices meet all of its tokens in one product: cost follows the k experts used, not the E there are.

    In training it counts how many tokens each expert was given since `reset_loads`, and keeps them even by
    `config.balance`: "loss" adds E·Σ fᵉ·pᵉ, share of tokens times mean probability, 1 when even (Fedus et al. 2021,
    Switch, section 2.2); "bias" moves a bias on the scores that only the choice sees (Wang et al. 2024).
    """

    load: Tensor
    choice_bias: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_chosen = config.experts_per_token
        self.balance, self.balance_rate = config.balance, config.balance_rate or 0.0
        self.router = nn.Linear(config.d_model, config.n_experts, bias=False)
        self.gate_up = GroupedLinear(config.n_experts, config.d_model, 2 * config.d_ff)
        self.down = GroupedLinear(config.n_experts, config.d_ff, config.d_model)
        self.shared = SHARED_EXPERTS[config.shared_expert](config)
        self.register_buffer("load", torch.zeros(config.n_experts, dtype=torch.int64), persistent=False)
        self.register_buffer("choice_bias", torch.zeros(config.n_experts), persistent=self.balance == "bias")
        self.balance_loss: Tensor | None = None  # of the last forward pass in training

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(-1, x.shape[-1])  # (N, C)
        self.balance_loss = None  # with the graph of an earlier pass
        with torch.autocast(x.device.type, enabled=False):  # a rounded score could change the choice
            scores = self.router(tokens.to(self.router.weight.dtype))  # (N, E)
        chosen = (scores + self.choice_bias).topk(self.n_chosen, dim=-1).indices  # (N, k)
        weights = scores.gather(1, chosen).softmax(dim=-1)  # (N, k)
        load = torch.bincount(chosen.flatten(), minlength=scores.shape[1])  # (E,)
        if self.training:
            self.load += load
            if self.balance == "loss":
                self.balance_loss = self.balance_rate * _imbalance(scores, load)

        order = chosen.flatten().argsort(stable=True)  # (N·k,) the choices, expert by expert
        place = torch.empty_like(order)  # where each choice went
        place[order] = torch.arange(len(order), device=x.device)
        token_of, place = order // self.n_chosen, place.view(-1, self.n_chosen)
        ends = load.cumsum(0).to(torch.int32)

        rows = _Dispatch.apply(tokens, token_of, place)  # (N·k, C)
        gate, up = self.gate_up(rows, ends).chunk(2, dim=-1)  # (N·k, F) each
        rows = self.down(F.silu(gate) * up, ends)  # (N·k, C)
        rows = rows * weights.flatten().index_select(0, order)[:, None].to(rows.dtype)
        return _Combine.apply(rows, token_of, place).view(x.shape) + self.shared(x)


def _imbalance(scores: Tensor, load: Tensor) -> Tensor:
    probabilities = scores.softmax(dim=-1).mean(dim=0)  # (E,)
    return len(load) * (load / load.sum() * probabilities).sum()


class NoExpert(nn.Module):
    """Nothing beside the chosen experts."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> float:
        return 0.0


class GatedExpert(SwiGLU):
    """An expert for every token, weighted by a sigmoid of the token (Qwen team 2024, Qwen1.5-MoE)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.gate = nn.Linear(config.d_model, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gate(x)) * super().forward(x)


SHARED_EXPERTS = {"none": NoExpert, "plain": SwiGLU, "gated": GatedExpert}

# ---------------------------------------------------------------------- for the training loop


def expert_layers(model: nn.Module) -> Iterator[Experts]:
    yield from (module for module in model.modules() if isinstance(module, Experts))


def reset_loads(model: nn.Module) -> None:
    """Begin to count anew which experts tokens go to."""
    for experts in expert_layers(model):
        experts.load.zero_()


def loads(model: nn.Module) -> Tensor:
    """(layers, E) int64: tokens each expert was given in training since `reset_loads`; (0, 0) for a dense model."""
    counts = [experts.load for experts in expert_layers(model)]
    return torch.stack(counts) if counts else torch.zeros(0, 0, dtype=torch.int64)


def set_loads(model: nn.Module, counts: Tensor) -> None:
    """The reverse of `loads`: where others computed a part of the batch, their tokens are counted, too."""
    for experts, load in zip(expert_layers(model), counts, strict=True):
        experts.load.copy_(load)


def take_balance_loss(model: nn.Module) -> Tensor | None:
    """What uneven loads of the last forward pass cost, to be added to its loss; None if nothing is to be."""
    total = None
    for experts in expert_layers(model):
        if experts.balance_loss is not None:
            total = experts.balance_loss if total is None else total + experts.balance_loss
            experts.balance_loss = None  # and with it the graph
    return total


@torch.no_grad()
def adjust_biases(model: nn.Module) -> None:
    """After a step: experts with less than their share become a little likelier to be chosen, the others less."""
    for experts in expert_layers(model):
        if experts.balance == "bias":
            load = experts.load.float()
            experts.choice_bias += experts.balance_rate * torch.sign(load.mean() - load)
