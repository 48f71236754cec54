"""Positions, masks and attention: how tokens learn of one another.

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

Rotate = Callable[[Tensor], Tensor]
Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None, float], Tensor]

# ---------------------------------------------------------------------- positions


class LearnedPositions(nn.Module):
    """One trained vector a position, added to the token's (Radford et al. 2018, section 3.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.table = nn.Embedding(config.context_length, config.d_model)

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return x + self.table(positions)

    def rotation(self, positions: Tensor) -> Rotate:
        return lambda heads: heads


class RotaryPositions(nn.Module):
    """Queries and keys turned by an angle that grows with the position (Su et al. 2021, RoFormer, section 3.2.2).

    Channel i is paired with channel i + D/2, the layout of the published Llama weights.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        half = config.head_dim // 2
        frequencies = config.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)  # (D/2,)
        times = torch.arange(config.context_length, dtype=torch.float32)
        angles = times[:, None] * frequencies  # (context, D/2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return x

    def rotation(self, positions: Tensor) -> Rotate:
        # positions is (T,) or (B, T); heads are (B, heads, T, D)
        cos, sin = self.cos[positions], self.sin[positions]
        if positions.dim() == 2:
            cos, sin = cos[:, None], sin[:, None]

        def rotate(heads: Tensor) -> Tensor:
            first, second = heads.chunk(2, dim=-1)
            turned = (first * cos - second * sin, second * cos + first * sin)
            return torch.cat(turned, dim=-1).to(heads.dtype)

        return rotate


POSITIONS = {"learned": LearnedPositions, "rotary": RotaryPositions}

# ---------------------------------------------------------------------- masks


def attention_mask(
    n_queries: int, real: Tensor | None = None, documents: Tensor | None = None
) -> Tensor | None:
    """Which keys each query may see, when it is not simply "everything up to itself".

    Args:
        n_queries: T, the last T of the S positions.
        real: (B, S) bool, False at padding, left or right.
        documents: (B, S) integers; a query sees only its own document.

    Returns:
        (B, 1, T, S) bool, True where visible; None for the plain causal mask.
    """
    if real is None and documents is None:
        return None
    given = real if real is not None else documents
    assert given is not None
    n_keys = given.shape[1]
    visible = causal_mask(n_queries, n_keys, given.device)[None]
    if real is not None:
        visible = visible & real[:, None, :]
    if documents is not None:
        visible = visible & (documents[:, -n_queries:, None] == documents[:, None, :])
    return visible[:, None]


def causal_mask(n_queries: int, n_keys: int, device: torch.device) -> Tensor:
    """(T, S) bool: the queries are the last T positions, and each sees the keys up to itself."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)


# ---------------------------------------------------------------------- the core, in two equal forms


def explicit_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0) -> Tensor:
    """Scaled dot-product attention, step by step (Vaswani et al. 2017, section 3.2.1).

    Faster on a CPU at short contexts, where the backward pass of the fused kernel is slow.

    Args:
        q: (B, H, T, D); k, v: (B, K, S, D), each key/value head serving H/K query heads.
        mask: from `attention_mask`; None is causal. A query that sees no key gets zeros.
        dropout: probability of dropping an attention weight.

    Returns:
        (B, H, T, D)
    """
    B, H, T, D = q.shape
    K, S = k.shape[1:3]
    G = H // K
    # the G heads that share keys become one taller matrix: nothing is repeated
    q = q.reshape(B * K, G * T, D)
    keys = k.reshape(B * K, S, D).transpose(1, 2)
    scale, sees_any = 1 / math.sqrt(D), None
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


def fused_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0) -> Tensor:
    """The same, by torch's `scaled_dot_product_attention`; shapes and mask as in `explicit_attention`."""
    T, S = q.shape[2], k.shape[2]
    if mask is None and T in (1, S):  # one query sees every key; T queries over T keys are plain causal
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=T > 1, enable_gqa=True)
    if mask is None:
        mask = causal_mask(T, S, q.device)[None, None]
    sees_any = mask.any(dim=-1, keepdim=True)
    out = F.scaled_dot_product_attention(q, k, v, mask | ~sees_any, dropout_p=dropout, enable_gqa=True)
    return out.masked_fill(~sees_any, 0.0)


ATTEND: dict[str, Attend] = {"explicit": explicit_attention, "fused": fused_attention}


class HeadNorm(nn.RMSNorm):
    """QK-norm, which keeps the scores' scale in hand at high learning rates (Henry et al. 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        # under autocast heads are bfloat16 and weights float32, for which torch warns and takes its slow path
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Multi-head, grouped-query (Ainslie et al. 2023) or multi-query attention (Shazeer 2019): H against K heads."""

    attend: Attend

    def __init__(self, config: ModelConfig, attend: Attend = fused_attention) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.dropout = config.dropout
        self.attend = attend
        width = (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
        self.qkv = nn.Linear(config.d_model, width, bias=config.bias)
        self.out = nn.Linear(self.n_heads * self.head_dim, config.d_model, bias=config.bias)
        self.q_norm = HeadNorm(self.head_dim, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = HeadNorm(self.head_dim, eps=config.norm_eps) if config.qk_norm else nn.Identity()

    def forward(
        self,
        x: Tensor,
        rotate: Rotate,
        mask: Tensor | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
    ) -> Tensor:
        B, T, _ = x.shape
        heads = self.qkv(x).view(B, T, -1, self.head_dim).transpose(1, 2)  # (B, H + 2K, T, D)
        q, k, v = heads.split((self.n_heads, self.n_kv_heads, self.n_kv_heads), dim=1)
        q, k = rotate(self.q_norm(q)), rotate(self.k_norm(k))
        if cache is not None:
            k, v = cache.extend(layer, k, v)  # (B, K, S, D)
        mixed = self.attend(q, k, v, mask, self.dropout if self.training else 0.0)
        return self.out(
            mixed.transpose(1, 2).reshape(B, T, -1)
        )  # heads joined again: (B, T, H·D) → (B, T, C)
