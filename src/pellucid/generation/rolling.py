"""What each sequence of a batch still sees: a rolling window over its tokens, kept in one key/value cache.

Shapes: B sequences, S columns of the cache (tokens of the longest window), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.model.cache import KVCache
from pellucid.model.transformer import LanguageModel


def window_start(n_tokens: int, context_length: int) -> int:
    """Where the window begins that predicts what follows `n_tokens` tokens.

    It begins at 0 until the context is full; the token that no longer fits makes it jump, so that it holds
    the last half of a context, and it grows again from there. Between jumps every step reuses the cache; a
    jump costs one reading of half a context. It depends on nothing but the sequence: not on batch or cache.
    """
    kept = max(1, context_length // 2)
    jump = context_length + 1 - kept
    n_jumps = -(-max(0, n_tokens - context_length) // jump)  # rounded up
    return n_jumps * jump


def prompt_start(n_tokens: int, context_length: int, max_tokens: int) -> int:
    """How many tokens of a prompt are left out at its beginning, because they do not fit.

    What is kept leaves room in the context for `max_tokens` more, but is never less than half a context.
    """
    if n_tokens <= context_length:
        return 0
    return n_tokens - max(1, context_length // 2, context_length - max_tokens)


class RollingWindows:
    """The windows of B sequences, read into one cache, each ending in the cache's last column.

    The cache holds every token of a window but the last, which the next step reads.

    Args:
        model: in evaluation mode.
        sequences: B lists of at least one token id each; the caller appends to them after each step.
        capacity: tokens a window needs room for at most; no more than the context is used.
        dtype: of the cached keys and values.
    """

    def __init__(
        self,
        model: LanguageModel,
        sequences: Sequence[list[int]],
        capacity: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.model = model
        self.sequences = list(sequences)
        self.starts = [-1] * len(self.sequences)  # nothing is read yet
        self.capacity = min(capacity, model.config.context_length)
        self.device, self.dtype = device, dtype
        self.cache = self._empty_cache(0)

    def next_logits(self) -> Tensor:
        """Logits (B, V) of the token that follows each sequence."""
        self._roll()
        ids = torch.tensor([[sequence[-1]] for sequence in self.sequences], device=self.device)
        widths = self._widths(range(len(self.sequences)))
        return self._forward(ids, [width + 1 for width in widths], self.cache)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these sequences alone."""
        old = self.cache
        self.sequences = [self.sequences[row] for row in rows]
        self.starts = [self.starts[row] for row in rows]
        self.cache = self._moved(old, rows, max(self._widths(range(len(rows)))))

    def _roll(self) -> None:
        """Read the windows that begin elsewhere than before; all of them, the first time."""
        context = self.model.config.context_length
        new_starts = [window_start(len(sequence), context) for sequence in self.sequences]
        changed = [row for row, start in enumerate(new_starts) if start != self.starts[row]]
        if not changed:
            return
        self.starts = new_starts
        read = self._read(changed)
        if len(changed) == len(self.sequences):
            self.cache = read
            return
        every_row = range(len(self.sequences))
        merged = self._moved(self.cache, every_row, max(self._widths(every_row)))
        columns = slice(merged.length - read.length, merged.length)
        merged.keys[:, changed, :, columns] = read.keys[:, :, :, : read.length]
        merged.values[:, changed, :, columns] = read.values[:, :, :, : read.length]
        self.cache = merged

    def _read(self, rows: Sequence[int]) -> KVCache:
        """A cache of these windows without their last tokens, padded on the left."""
        cache = self._empty_cache(len(rows))
        widths = self._widths(rows)
        longest = max(widths)
        if longest:
            ids = torch.zeros(len(rows), longest, dtype=torch.long)
            for line, row, width in zip(ids, rows, widths, strict=True):
                line[longest - width :] = torch.tensor(self.sequences[row][self.starts[row] : -1])
            self._forward(ids.to(self.device), widths, cache)
        return cache

    def _forward(self, ids: Tensor, widths: Sequence[int], cache: KVCache) -> Tensor:
        """Logits (B, V) after the last of `ids` (B, T); `widths` count a row's real tokens, cached or not."""
        longest = max(widths)
        if min(widths) == longest:  # no padding: no mask, and positions are the cache's columns
            return self.model(ids, cache=cache, last_only=True)[:, -1]
        ends = torch.tensor(widths, device=self.device)[:, None]  # (B, 1)
        columns = torch.arange(longest, device=self.device)
        positions = (columns + ends - longest).clamp_(min=0)  # (B, S): 0 at the first real token
        real = columns >= longest - ends  # (B, S)
        positions = positions[:, -ids.shape[1] :]
        return self.model(ids, positions=positions, real=real, cache=cache, last_only=True)[:, -1]

    def _widths(self, rows: Sequence[int]) -> list[int]:
        """Tokens of each window without its last."""
        return [len(self.sequences[row]) - self.starts[row] - 1 for row in rows]

    def _moved(self, old: KVCache, rows: Sequence[int], width: int) -> KVCache:
        """Some rows of a cache, their last `width` columns; a window never outgrows the columns of the old one."""
        new = self._empty_cache(len(rows))
        for mine, theirs in ((new.keys, old.keys), (new.values, old.values)):
            mine[:, :, :, :width] = theirs[:, list(rows), :, old.length - width : old.length]
        new.length = width
        return new

    def _empty_cache(self, batch: int) -> KVCache:
        return KVCache(self.model.config, batch, self.capacity, self.device, self.dtype)
