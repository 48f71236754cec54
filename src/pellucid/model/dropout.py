"""Dropout that draws its random numbers four at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 1 << 16  # a probability is rounded to a multiple of 1/65,536


def dropout(x: Tensor, p: float) -> Tensor:
    """`x` with each value dropped with probability `p`, the others scaled by 1/(1 − p) (Srivastava et al. 2014).

    Torch's generator for the CPU gives one number after another on one core, and its `F.dropout` draws one a value:
    a third of a training step of the small character model. Here one draw of 64 bits decides over four values.
    """
    if not p:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    draws = torch.randint(-(1 << 63), (1 << 63) - 1, (-(-x.numel() // 4),), dtype=torch.int64)
    n_dropped = min(round(p * LEVELS), LEVELS - 1)  # of the values a draw can have
    kept = draws.view(torch.int16)[: x.numel()].view(x.shape) >= n_dropped - LEVELS // 2
    return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - n_dropped))


class Dropout(nn.Module):
    """`dropout` while training; nothing in evaluation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x
