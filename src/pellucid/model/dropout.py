"""Dropout whose random numbers are made by all cores at once, a hash of each value's place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dropout(x: Tensor, p: float) -> Tensor:
    """`x` with each value dropped with probability `p`, the others scaled by 1/(1 − p) (Srivastava et al. 2014).

    Torch's generator for the CPU gives one number after another on one core, and `F.dropout` draws one a value:
    a third of a training step of the small character model. Here it is asked for two numbers a call.
    """
    if not p:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    kept = _noise(x.shape) >= min(round((p - 0.5) * (1 << 32)), (1 << 31) - 1)
    return x * kept.to(x.dtype).mul_(1 / (1 - p))


def _noise(shape: torch.Size) -> Tensor:
    """Integers spread evenly over all of int32, whose high bits are random: a hash of 0, 1, 2, … and of two draws.

    Its two rounds of shift and multiplication have the constants of Wellons' "lowbias32" (2018, "Prospecting for hash
    functions"). Compiled code makes it without writing it down.
    """
    step, start = torch.randint(-(1 << 31), (1 << 31) - 1, (2,), dtype=torch.int32)
    hashed = torch.arange(shape.numel(), dtype=torch.int32).view(shape).mul_(step | 1).add_(start)
    hashed.bitwise_xor_(hashed >> 16).mul_(0x7FEB352D)
    return hashed.bitwise_xor_(hashed >> 15).mul_(0x846CA68B - (1 << 32))


class Dropout(nn.Module):
    """`dropout` while training; nothing in evaluation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x
