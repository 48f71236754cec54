"""What each sequence of a batch still sees: a rolling window over its tokens, kept in one key/value cache.

Shapes: B sequences, S columns of the cache (tokens of the longest window), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.model.cache import KVCache
from pellucid.model.transformer import LanguageModel

GROWTH = 128  # columns of the cache taken at once: what may be needed often is not


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

    The cache holds every token of a window but the last, which the next step reads. It has room for as many
    columns as its windows may need, and takes them as it grows.

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
        self.device, self.dtype = device, dtype
        self.sequences: list[list[int]] = []
        self.starts: list[int] = []
        self.needs: list[int] = []  # tokens that each window needs room for
        self.cache = self._empty_cache(0, 0)
        self.join(sequences, [capacity] * len(sequences))

    def join(self, sequences: Sequence[list[int]], needs: Sequence[int]) -> None:
        """Let more sequences run along; the next step reads them.

        Args:
            needs: tokens that the window of each needs room for at most, at least its tokens now.
        """
        context = self.model.config.context_length
        self.sequences += sequences
        self.starts += [-1] * len(sequences)  # nothing is read yet
        self.needs += [min(need, context) for need in needs]

    def next_logits(self) -> Tensor:
        """Logits (B, V) of the token that follows each sequence."""
        self._roll()
        if self.cache.length == self.cache.capacity:
            self.cache = self._moved(self.cache, range(len(self.sequences)), self.cache.length)
        ids = torch.tensor([[sequence[-1]] for sequence in self.sequences], device=self.device)
        widths = self._widths(range(len(self.sequences)))
        return self._forward(ids, [width + 1 for width in widths], self.cache)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these sequences alone."""
        read = [row for row in rows if self.starts[row] >= 0]  # those that joined just now are in no cache
        self.sequences = [self.sequences[row] for row in rows]
        self.starts = [self.starts[row] for row in rows]
        self.needs = [self.needs[row] for row in rows]
        widths = self._widths(range(len(read)))  # new ones come last
        self.cache = self._moved(self.cache, read, max(widths, default=0))

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
        widths = self._widths(rows)
        longest = max(widths)
        cache = self._empty_cache(len(rows), longest)
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
        """Some rows of a cache, their last `width` columns; rows and columns that it lacks are zeros."""
        new = self._empty_cache(len(rows), width)
        there = [row for row in rows if row < old.keys.shape[1]]  # the first ones: others join behind them
        common = min(width, old.length)
        for mine, theirs in ((new.keys, old.keys), (new.values, old.values)):
            if (
                len(there) < len(rows) or common < width
            ):  # a weight of 0 makes no zero of what is not a number
                mine[:, :, :, :width] = 0
            mine[:, : len(there), :, width - common : width] = theirs[
                :, there, :, old.length - common : old.length
            ]
        new.length = width
        return new

    def _empty_cache(self, batch: int, width: int) -> KVCache:
        """With room for `width` columns, and for some more if a window needs them."""
        capacity = min(width + GROWTH, max(self.needs, default=1))
        return KVCache(self.model.config, batch, capacity, self.device, self.dtype)
