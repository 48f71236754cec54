"""The baseline every model must beat: the next token guessed from this one alone.

Shapes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn

from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig


class Bigram(nn.Module):
    """A V × V table of logits, one row a token, behind the transformer's interface."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Embedding(config.vocab_size, config.vocab_size)
        nn.init.zeros_(self.table.weight)  # every next token equally likely: the loss starts at exactly ln V

    def forward(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        real: Tensor | None = None,
        documents: Tensor | None = None,
        cache: KVCache | None = None,
        last_only: bool = False,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) of the token after each of `ids` (B, T), or (N, V) of those `wanted`."""
        if cache is not None:
            cache.advance(ids.shape[1])
        if wanted is not None:
            return self.table(ids[wanted])
        return self.table(ids[:, -1:] if last_only else ids)
