"""What each sequence of a batch still sees: a rolling window over its tokens, kept in one key/value cache.

Shapes: B sequences, S columns of the cache (tokens of the longest window), V vocabulary.
"""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(eq=False)
class _Window:
    """What one sequence still sees: its tokens from `start` on, or nothing as long as that is negative."""

    sequence: list[int]
    need: int
    start: int = -1

    @property
    def seen(self) -> list[int]:
        """Its tokens."""
        return self.sequence[self.start :]

    @property
    def width(self) -> int:
        """Tokens of it that are in the cache: all but the last."""
        return len(self.sequence) - self.start - 1


class RollingWindows:
    """The windows of B sequences, read into one cache, each ending in the cache's last column.

    The cache holds every token of a window but the last, which the next step reads. One that joins takes a free row;
    where one leaves, the last row takes its place; the others stay where they are. Columns are taken as windows grow.

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
        self.windows: list[_Window] = []  # in the caller's order
        self.rows: list[_Window] = []  # those that are read, in the cache's order
        self.cache = KVCache(model.config, 0, 1, device, dtype)
        self.join(sequences, [capacity] * len(sequences))

    def join(self, sequences: Sequence[list[int]], needs: Sequence[int]) -> None:
        """Let more sequences run along; the next step reads them.

        Args:
            needs: tokens that the window of each needs room for at most, at least its tokens now.
        """
        context = self.model.config.context_length
        pairs = zip(sequences, needs, strict=True)
        self.windows += [_Window(sequence, min(need, context)) for sequence, need in pairs]

    def next_logits(self) -> Tensor:
        """Logits (B, V) of the token that follows each sequence."""
        changed = self._rolled()
        if changed and len(changed) == len(self.windows):
            self.rows = changed  # none goes on from what was read: all are read to their ends at once
            self.cache, logits = self._read([window.seen for window in changed], changed)
            return logits
        if changed:
            self._take_in(changed)
        if self.cache.end == self.cache.capacity:
            self.cache = self._moved(len(self.rows))
        ids = torch.tensor([[window.sequence[-1]] for window in self.rows], device=self.device)
        logits = self._forward(ids, [window.width + 1 for window in self.rows], self.cache)
        if self.rows == self.windows:
            return logits
        places = {window: row for row, window in enumerate(self.rows)}
        return logits[[places[window] for window in self.windows]]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these sequences alone."""
        self.windows = [self.windows[row] for row in rows]
        kept, cache = set(self.windows), self.cache
        for row in reversed(range(len(self.rows))):
            if self.rows[row] in kept:
                continue
            last = self.rows.pop()
            if last in kept:
                self.rows[row] = last
                live = slice(cache.start, cache.end)
                for each in (cache.keys, cache.values):
                    each[:, row, :, live] = each[:, len(self.rows), :, live]
        cache.rows = len(self.rows)
        cache.start = cache.end - max((window.width for window in self.rows), default=0)

    def _rolled(self) -> list[_Window]:
        """The windows that begin elsewhere than before, and so must be read."""
        context = self.model.config.context_length
        changed = []
        for window in self.windows:
            start = window_start(len(window.sequence), context)
            if start != window.start:
                window.start = start
                changed.append(window)
        return changed

    def _take_in(self, windows: Sequence[_Window]) -> None:
        """Read these windows but for their last tokens, while others go on."""
        read, _ = self._read([window.seen[:-1] for window in windows], windows)
        self.rows += [window for window in windows if window not in self.rows]
        widest = max(window.width for window in self.rows)
        if len(self.rows) > self.cache.keys.shape[1] or widest > self.cache.end:
            self.cache = self._moved(len(self.rows))
        self._put(windows, read)

    def _read(self, texts: Sequence[list[int]], windows: Sequence[_Window]) -> tuple[KVCache, Tensor]:
        """A cache of the beginnings of these windows, padded on the left, and the logits (B, V) after them."""
        widths = [len(text) for text in texts]
        longest = max(widths)
        cache = self._empty_cache(windows, len(windows))
        if not longest:
            return cache, torch.empty(0)
        ids = torch.zeros(len(texts), longest, dtype=torch.long)
        for line, text in zip(ids, texts, strict=True):
            line[longest - len(text) :] = torch.tensor(text)
        return cache, self._forward(ids.to(self.device), widths, cache)

    def _put(self, windows: Sequence[_Window], read: KVCache) -> None:
        """Put what was read of these windows into their rows."""
        cache, rows = self.cache, [self.rows.index(window) for window in windows]
        before = cache.end - max(window.width for window in self.rows)
        for mine, theirs in ((cache.keys, read.keys), (cache.values, read.values)):
            # what is masked must be numbers: a weight of 0 makes no zero of what is none
            mine[:, : cache.rows, :, before : cache.start] = 0
            mine[:, rows, :, before : cache.end - read.length] = 0
            mine[:, rows, :, cache.end - read.length : cache.end] = theirs[:, :, :, : read.end]
        cache.start, cache.rows = before, len(self.rows)

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

    def _moved(self, n_rows: int) -> KVCache:
        """The cache with room for so many rows, for its widest window and for more columns, as far left as they go."""
        old, there = self.cache, self.cache.keys.shape[1]
        # twice as many as are needed now: others will join
        new = self._empty_cache(self.rows, 2 * n_rows if n_rows > there else min(there, 2 * n_rows))
        new.rows, new.end = old.rows, max(window.width for window in self.rows)
        common = min(new.end, old.length)
        new.start = new.end - common
        for mine, theirs in ((new.keys, old.keys), (new.values, old.values)):
            mine[:, : old.rows, :, new.start : new.end] = theirs[:, : old.rows, :, old.end - common : old.end]
        return new

    def _empty_cache(self, windows: Sequence[_Window], n_rows: int) -> KVCache:
        """With room for these windows as they are, and for some columns more if one of them needs them."""
        more = min(GROWTH, max(window.need - window.width for window in windows))
        capacity = max(window.width for window in windows) + more
        return KVCache(self.model.config, n_rows, capacity, self.device, self.dtype)
