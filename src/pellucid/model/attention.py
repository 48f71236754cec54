"""Masks and attention: how tokens learn of one another.

Shapes: B batch, T queries, S keys (S ≥ T with a cache), C d_model, H heads, K key/value heads, G = H/K, D head size.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig
from pellucid.model.dropout import dropout as drop
from pellucid.model.linear import Linear
from pellucid.model.norms import RMSNorm
from pellucid.model.positions import Rotate

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None, float, float], Tensor]

# ---------------------------------------------------------------------- masks


def attention_mask(
    shape: tuple[int, int],
    device: torch.device,
    real: Tensor | None = None,
    documents: Tensor | None = None,
    mask: str = "causal",
) -> Tensor | None:
    """Which keys each query may see, when it is not simply "everything up to itself".

    Args:
        shape: (T, S); the queries are the last T of the S positions.
        real: (B, S) bool, False at padding, left or right.
        documents: (B, S) integers; a query sees only its own document.
        mask: what may be seen at most, from MASKS.

    Returns:
        (B, 1, T, S) bool, True where visible; None for the plain causal mask.
    """
    if real is None and documents is None and mask == "causal":
        return None
    n_queries = shape[0]
    visible = MASKS[mask](*shape, device)[None]
    if real is not None:
        visible = visible & real[:, None, :]
    if documents is not None:
        visible = visible & (documents[:, -n_queries:, None] == documents[:, None, :])
    return visible[:, None]


def causal_mask(n_queries: int, n_keys: int, device: torch.device) -> Tensor:
    """(T, S) bool: the queries are the last T positions, and each sees the keys up to itself."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)


def no_mask(n_queries: int, n_keys: int, device: torch.device) -> Tensor:
    """(T, S) bool: every query sees every key, later ones too, and so the very answer it is asked for."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)


MASKS = {"causal": causal_mask, "none": no_mask}
SCALES: dict[str, Callable[[int], float]] = {
    "sqrt": lambda size: 1 / math.sqrt(size),
    "none": lambda size: 1.0,
}


# ---------------------------------------------------------------------- the core, in two equal forms


def explicit_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0, scale: float | None = None
) -> Tensor:
    """Scaled dot-product attention, step by step (Vaswani et al. 2017, section 3.2.1).

    Faster on a CPU at short contexts, where the backward pass of the fused kernel is slow.

    Args:
        q: (B, H, T, D); k, v: (B, K, S, D), each key/value head serving H/K query heads.
        mask: from `attention_mask`; None is causal. A query that sees no key gets zeros.
        dropout: probability of dropping an attention weight.
        scale: of the scores; None is 1/√D.

    Returns:
        (B, H, T, D)
    """
    B, H, T, D = q.shape
    K, S = k.shape[1:3]
    G = H // K
    # the G heads that share keys become one taller matrix: nothing is repeated
    q = q.reshape(B * K, G * T, D)
    keys = k.reshape(B * K, S, D).transpose(1, 2)
    scale, sees_any = 1 / math.sqrt(D) if scale is None else scale, None
    if mask is None:
        hidden = torch.full((T, S), -math.inf, dtype=q.dtype, device=q.device).triu(1 + S - T)
        # mask and scale ride on the product
        scores = torch.baddbmm(hidden.repeat(G, 1), q, keys, alpha=scale)
    else:
        # a query that sees no key looks at all of them (else 0/0), and what it saw is dropped at the end
        sees_any = mask.any(dim=-1, keepdim=True)  # (B, 1, T, 1)
        hidden = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask & sees_any, -math.inf)
        scores = torch.bmm(q, keys).view(B, K, G, T, S)
        scores = torch.add(hidden[:, :, None], scores, alpha=scale).view(B * K, G * T, S)
    weights = torch.softmax(scores, dim=-1)
    if dropout:
        weights = drop(weights, dropout)
    values = v.reshape(B * K, S, D)
    out = torch.bmm(weights.to(values.dtype), values).view(B, H, T, D)
    return out if sees_any is None else out.masked_fill(~sees_any, 0.0)


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0, scale: float | None = None
) -> Tensor:
    """The same, by torch's `scaled_dot_product_attention`; shapes and mask as in `explicit_attention`."""
    T, S = q.shape[2], k.shape[2]
    if mask is None and T in (1, S):  # one query sees every key; T queries over T keys are plain causal
        return F.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=T > 1, scale=scale, enable_gqa=True
        )
    if mask is None:
        mask = causal_mask(T, S, q.device)[None, None]
    sees_any = mask.any(dim=-1, keepdim=True)
    out = F.scaled_dot_product_attention(
        q, k, v, mask | ~sees_any, dropout_p=dropout, scale=scale, enable_gqa=True
    )
    return out.masked_fill(~sees_any, 0.0)


ATTEND: dict[str, Attend] = {"explicit": explicit_attention, "fused": fused_attention}


class Shared:
    """What the blocks of one forward pass share.

    No dataclass: FSDP2 hands a block copies of those, and what the first block leaves would be lost to the others.

    Args:
        x0: (B, T, C) what entered the first block.
    """

    def __init__(
        self, x0: Tensor, rotate: Rotate, mask: Tensor | None = None, cache: KVCache | None = None
    ) -> None:
        self.x0, self.rotate, self.mask, self.cache = x0, rotate, mask, cache
        self.first_values: Tensor | None = None  # (B, K, T, D) of the first block, once it has run


class ValueResidual(nn.Module):
    """Values mixed with the first block's, by two learned scalars (Zhou et al. 2024, "Value Residual Learning")."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.tensor([0.5, 0.5]))

    def forward(self, v: Tensor, shared: Shared) -> Tensor:
        if shared.first_values is None:
            shared.first_values = v
        return self.mix[0] * v + self.mix[1] * shared.first_values


class OwnValues(nn.Module):
    """Values as they are."""

    def forward(self, v: Tensor, shared: Shared) -> Tensor:
        return v


class Attention(nn.Module):
    """Multi-head, grouped-query (Ainslie et al. 2023) or multi-query attention (Shazeer 2019): H against K heads."""

    attend: Attend

    def __init__(self, config: ModelConfig, layer: int = 0, attend: Attend = fused_attention) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.layer = layer  # its place in the cache
        self.dropout = config.dropout
        self.scale = SCALES[config.scale](config.head_dim)
        self.attend = attend
        width = (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
        self.qkv = Linear(config.d_model, width, bias=config.bias)
        self.out = Linear(self.n_heads * self.head_dim, config.d_model, bias=config.bias)
        # QK-norm keeps the scores' scale in hand at high learning rates (Henry et al. 2020)
        self.q_norm = RMSNorm(self.head_dim, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(self.head_dim, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.values = ValueResidual() if config.value_residual else OwnValues()

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        B, T, _ = x.shape
        heads = self.qkv(x).view(B, T, -1, self.head_dim).transpose(1, 2)  # (B, H + 2K, T, D)
        q, k, v = heads.split((self.n_heads, self.n_kv_heads, self.n_kv_heads), dim=1)
        q, k = shared.rotate(self.q_norm(q)), shared.rotate(self.k_norm(k))
        v = self.values(v, shared)
        if shared.cache is not None:
            k, v = shared.cache.extend(self.layer, k, v)  # (B, K, S, D)
        mixed = self.attend(q, k, v, shared.mask, self.dropout if self.training else 0.0, self.scale)
        # heads joined again: (B, T, H·D) → (B, T, C)
        return self.out(mixed.transpose(1, 2).reshape(B, T, -1))
