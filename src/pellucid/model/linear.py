"""A linear layer that is fast for a few rows, too.

Shapes: N rows, C channels in, O channels out, P threads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FEW = 32  # rows, as many as it was measured to be faster for; with 200 it was slower in a whole model


class Linear(nn.Linear):
    """torch's; a few float32 rows are multiplied by `few_rows` where no gradients are asked for, on a CPU."""

    plain = False  # always as torch does

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        is_few = x.numel() <= FEW * self.in_features
        if is_few and is_float32_on_cpu(x) and not (torch.is_grad_enabled() or self.plain):
            return few_rows(x, self.weight, self.bias)
        return super().forward(x)


def is_float32_on_cpu(x: Tensor) -> bool:
    """Where our own forms of torch's layers were measured; with other types and devices torch's are kept."""
    return x.is_cpu and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def few_rows(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, computed as (W xᵀ)ᵀ with P parts of W at once; equal but for rounding.

    A token at a time, a model is as fast as its weights are read, and the ordinary product reads them with one thread.
    With 2 to 32 rows it also falls short of the processor's speed (docs/LOG.md, "A few rows").

    Args:
        x: (…, C); N rows in all.
        weight: (O, C).
        bias: (O,).

    Returns:
        (…, O)
    """
    n_out, n_in = weight.shape
    n_parts = math.gcd(n_out, torch.get_num_threads())
    columns = x.reshape(-1, n_in).t()  # (C, N)
    product = torch.bmm(weight.view(n_parts, -1, n_in), columns.expand(n_parts, -1, -1))  # (P, O/P, N)
    out = product.view(n_out, -1).t().contiguous().view(*x.shape[:-1], n_out)
    return out if bias is None else out + bias
