"""What a forward pass computes, seen from below: the products, softmaxes and random draws that torch carries out.

Whatever a stranger's classes are called, attention is a softmax of a matrix of T × T scores and a product with it.
Shapes: B batch, T time, H heads, D head size, N all matrices of a layer.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.inspection.doctor.patient import Patient, in_mode

HIDDEN = -1e3  # a score below this is a hidden one
SOFTMAX = ("aten::_softmax", "aten::_safe_softmax")
FUSED = "aten::_scaled_dot_product"


@dataclasses.dataclass
class Layer:
    """One attention: every matrix has queries as rows and keys as columns.

    Args:
        scores: (N, T, T) what entered the softmax; None where its axes are others.
        summed_over: length of the axis that the softmax sums to 1 over.
        softmax: (N, T, T) what left it.
        weights: (N, T, T) what the values were multiplied with; None where no such product was seen.
        product: (N, T, T) of queries and keys, before scale and mask, with those of shape (N, T, D).
        scale: of the scores, where a fused kernel was told it.
    """

    scores: Tensor | None
    summed_over: int
    softmax: Tensor | None
    weights: Tensor | None = None
    product: tuple[Tensor, Tensor, Tensor] | None = None
    scale: float | None = None
    numel: int = 0


class Watch(TorchDispatchMode):
    """Records the attention of a pass over T tokens while it is entered."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.layers: list[Layer] = []
        self.random: list[bool] = []  # each draw: whether it was of attention weights
        self.factors: list[
            tuple[int, int, float]
        ] = []  # tensors times numbers: their size, last axis, the number
        self.turned_wrongly = False
        self.loose: list[Tensor] = []  # (N, T, T) weights of values that no softmax made
        self._product: tuple[Tensor, Tensor, Tensor] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func.name()
        if name.startswith(FUSED) and "backward" not in name:
            self._fused(name, args, kwargs)
        elif name in SOFTMAX:
            self._softmax(args[0], args[1], out)
        elif name in ("aten::bmm", "aten::mm"):
            self._multiply(args[0], args[1])
        elif name == "aten::baddbmm":
            self._multiply(args[1], args[2])
        elif name.startswith(("aten::mul", "aten::div")):
            self._times(args[0], args[1], 1 if "mul" in name else -1)
        elif torch.Tag.nondeterministic_seeded in func.tags and isinstance(args[0] if args else None, Tensor):
            shape = args[0].shape
            self.random.append(len(shape) >= 2 and shape[-1] == self.length and shape[-2] % self.length == 0)
        return out

    def _matrices(self, tensor: Tensor) -> Tensor | None:
        """(N, T, T) of (…, n T, T)."""
        T = self.length
        if tensor.dim() < 2 or tensor.shape[-1] != T or tensor.shape[-2] % T:
            return None
        return tensor.detach().reshape(-1, T, T).clone()

    def _softmax(self, scores: Tensor, axis: int, out: Tensor) -> None:
        shape, T = scores.shape, self.length
        if sum(size == T or (size % T == 0 and size > T) for size in shape) < 2:
            return
        flat = self._matrices(scores) if axis % scores.dim() == scores.dim() - 1 else None
        self.layers.append(
            Layer(flat, shape[axis], self._matrices(out), product=self._take(scores), numel=scores.numel())
        )

    def _take(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        product, self._product = self._product, None
        return product if product is not None and product[0].numel() == scores.numel() else None

    def _multiply(self, a: Tensor, b: Tensor) -> None:
        T = self.length
        left, right = self._matrices(a), self._matrices(b.mT)
        if left is not None and b.shape[-2] == T:
            self._weights(left)
        elif right is not None and a.shape[-1] == T:
            self._weights(right)
        elif b.shape[-1] == T and a.shape[-2] % T == 0:
            product = self._matrices(torch.matmul(a.detach(), b.detach()))
            if product is not None:
                self._product = (product, a.detach(), b.detach().mT)

    def _weights(self, weights: Tensor) -> None:
        layer = self.layers[-1] if self.layers else None
        if layer is not None and layer.weights is None and weights.numel() == layer.numel:
            layer.weights = weights
        elif layer is None:
            self.loose.append(weights)

    def _times(self, x: Any, factor: Any, power: int) -> None:
        if not isinstance(x, Tensor) or (not x.is_floating_point() and not x.is_complex()):
            return
        if isinstance(factor, Tensor) and factor.numel() > 1:
            self.turned_wrongly |= self._turns_over_heads(x, factor)
            return
        number = float(factor.real if isinstance(factor, Tensor) else factor)
        if number > 0:
            self.factors.append((x.numel(), x.shape[-1] if x.dim() else 1, number**power))

    def _turns_over_heads(self, x: Tensor, factor: Tensor) -> bool:
        """Whether heads are multiplied with sines or cosines that differ from head to head but not in time."""
        if x.dim() not in (4, 5) or factor.dim() > x.dim() or factor.dtype == torch.bool:
            return False
        shape = (1,) * (x.dim() - factor.dim()) + tuple(factor.shape)
        times = [axis for axis in range(1, x.dim() - 1) if x.shape[axis] == self.length]
        others = [
            axis for axis in range(1, x.dim() - 1) if axis not in times and shape[axis] == x.shape[axis] > 1
        ]
        if len(times) != 1 or shape[times[0]] != 1 or not others:
            return False
        size = factor.abs()
        if factor.is_complex():
            return bool((size - 1).abs().max() < 1e-4)
        return bool(size.max() <= 1 + 1e-6 and size.min() < 0.999 and factor.unique().numel() > 2)

    def _fused(self, name: str, args: Any, kwargs: Any) -> None:
        q, k = args[0].detach(), args[1].detach()
        T = self.length
        if q.shape[-2] != T or k.shape[-2] != T:
            return
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        flags = [value for value in args[3:] if isinstance(value, bool)]
        causal = kwargs.get("is_causal", "flash" in name and bool(flags) and flags[-1])
        rest = [value for value in args[3:] if isinstance(value, Tensor)]
        bias = kwargs.get("attn_mask", kwargs.get("attn_bias", rest[0] if rest else None))
        dropout = next(
            (value for value in args[3:] if isinstance(value, float)), kwargs.get("dropout_p", 0.0)
        )
        scale = kwargs.get("scale")
        scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
        product = q @ k.mT
        scores = product * scale
        if bias is not None:
            scores = scores.masked_fill(~bias, -math.inf) if bias.dtype == torch.bool else scores + bias
        if causal:
            scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -math.inf)
        weights = scores.softmax(-1).nan_to_num()
        scores, weights, product = (each.reshape(-1, T, T) for each in (scores, weights, product))
        self.layers.append(Layer(scores, T, weights, weights, (product, q, k), scale, scores.numel()))
        if dropout:
            self.random.append(True)


def watch(patient: Patient, ids: Tensor, training: bool = False, seed: int = 0) -> Watch:
    """What a pass over `ids` (B, T) computes; gradients are on, for without them torch fuses whole layers."""
    seen = Watch(ids.shape[1])
    with in_mode(patient.module, training), torch.enable_grad():
        torch.manual_seed(seed)
        with seen:
            patient.logits(ids)
    return seen


def visible(scores: Tensor) -> Tensor:
    """(N, T, T) bool: the scores that are not hidden by a mask and are of keys up to the query."""
    T = scores.shape[-1]
    before = torch.ones(T, T, dtype=torch.bool, device=scores.device).tril()
    return before & scores.isfinite() & (scores > HIDDEN)
