"""The key/value cache: what a token computed once, later tokens only look up.

Shapes: B batch, K key/value heads, S room for tokens, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.model.config import ModelConfig


class KVCache:
    """Keys and values of every layer in memory taken once, filled from the left.

    Args:
        config: the model's.
        batch: sequences that there is room for.
        capacity: S, tokens a sequence; default the model's context.

    Attributes:
        rows: B, the sequences decoded together: the first ones of those there is room for.
        start, end: the columns that hold what they look up.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch: int = 1,
        capacity: int | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.capacity = capacity or config.context_length
        self.rows, self.start, self.end = batch, 0, 0
        n_layers = config.n_layers if config.architecture == "transformer" else 0
        shape = (n_layers, batch, config.n_kv_heads, self.capacity, config.head_dim)
        self.keys = torch.empty(shape, device=device, dtype=dtype)
        self.values = torch.empty(shape, device=device, dtype=dtype)

    @property
    def length(self) -> int:
        """Tokens that a new one looks up."""
        return self.end - self.start

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store the keys and values (B, K, T, D) of T new tokens; return all so far, (B, K, length + T, D)."""
        end = self.end + k.shape[2]
        assert end <= self.capacity, f"{end} tokens do not fit a cache of {self.capacity}"
        keys, values = self.keys[layer, : self.rows], self.values[layer, : self.rows]
        keys[:, :, self.end : end] = k
        values[:, :, self.end : end] = v
        return keys[:, :, self.start : end], values[:, :, self.start : end]

    def advance(self, n_tokens: int) -> None:
        """Called once a forward pass, when every layer has stored its part."""
        self.end += n_tokens
