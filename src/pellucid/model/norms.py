"""Norms, which keep the channels of every token at one scale.

Shapes: C channels, the last dimension.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pellucid.model.linear import is_float32_on_cpu


class RMSNorm(nn.RMSNorm):
    """Over the root mean square of a token's channels, times a scale for each (Zhang & Sennrich 2019, section 3).

    Torch has no kernel of its own for it on a CPU; where it learns there, it is computed with fewer passes over memory.
    """

    plain = False  # always as torch does

    def forward(self, x: Tensor) -> Tensor:
        learns = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        if learns and is_float32_on_cpu(x) and not self.plain:
            return _RMSNorm.apply(x, self.weight, self.eps)
        # under autocast heads are bfloat16 and weights float32, for which torch warns and takes its slow path
        weight = None if self.weight is None else self.weight.to(x.dtype)
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)


class _RMSNorm(torch.autograd.Function):
    """y = x̂ w with x̂ = x / √(mean x² + ε); x (…, C), w (C,) or None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        scale = mean_square.add_(eps).rsqrt_()  # (…, 1)
        normed = x * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed if weight is None else normed * weight

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor, Tensor | None, None]:
        # dw = Σ dy x̂ over tokens; dx = (dx̂ - x̂ mean(dx̂ x̂)) / rms with dx̂ = dy w
        normed, scale, weight = ctx.saved_tensors
        product = upstream * normed  # (…, C)
        n_channels = normed.shape[-1]
        if weight is None:
            weight_gradient = None
            mean = product.mean(dim=-1, keepdim=True)
            direction = torch.addcmul(upstream, normed, mean, value=-1)
        else:
            weight_gradient = product.sum_to_size(n_channels) if ctx.needs_input_grad[1] else None
            mean = (product @ weight)[..., None] / n_channels
            direction = (upstream * weight).addcmul_(normed, mean, value=-1)
        return direction.mul_(scale), weight_gradient, None


NORMS = {
    "layernorm": nn.LayerNorm,
    "rmsnorm": RMSNorm,
    "rmsnorm_fixed": functools.partial(RMSNorm, elementwise_affine=False),
    "none": nn.Identity,
}
