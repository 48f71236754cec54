"""A stream of tokens becomes batches of windows, each token a target exactly once an epoch.

The order is a pure function of (seed, window number), so a resumed run needs no iterator state:
knowing how many windows were read is enough.

Shapes: B batch, T context length, N tokens in the stream.
"""

from __future__ import annotations

import numpy as np

from pellucid.errors import InputError
from pellucid.model.config import IGNORE


class Windows:
    """An endless shuffled sequence of windows over a token stream.

    Every epoch starts its windows at a new random offset and visits them in a new random order. The stream is
    a ring, so no token is lost at the ends; the part of an epoch's last window that would repeat the first is
    not scored.

    Args:
        tokens: (N,) integers, memory-mapped or not.
        context_length: T.
        seed: of the offsets and orders.

    Raises:
        InputError: the stream is too short to fill one window and its last target.
    """

    def __init__(self, tokens: np.ndarray, context_length: int, seed: int) -> None:
        if len(tokens) <= context_length:
            raise InputError(
                f"the training text has {len(tokens):,} tokens, fewer than one context of {context_length}: "
                f"give more text, or a shorter --context-length"
            )
        self.tokens = tokens
        self.context_length = context_length
        self.seed = seed
        self.per_epoch = -(-len(tokens) // context_length)
        self._epoch = -1
        self._offset = 0
        self._order = np.empty(0, dtype=np.int64)

    @property
    def n_tokens(self) -> int:
        """Tokens that are read in an epoch."""
        return len(self.tokens)

    def tokens_of(self, count: int) -> int:
        """Tokens that `count` windows have."""
        return count * self.context_length

    def batch(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets, (B, T) int64 each, of windows `first` to `first + count` of the endless sequence."""
        inputs = np.empty((count, self.context_length), dtype=np.int64)
        targets = np.empty_like(inputs)
        for row in range(count):
            inputs[row], targets[row] = self._window(first + row)
        return inputs, targets

    def _window(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._start_epoch(epoch)
        index = int(self._order[place])
        n, length = len(self.tokens), self.context_length
        start = (self._offset + index * length) % n
        window = self.tokens[start : start + length + 1]
        if len(window) <= length:  # over the end of the ring
            window = np.concatenate([window, self.tokens[: length + 1 - len(window)]])
        targets = window[1:].astype(np.int64)
        if index == self.per_epoch - 1:
            targets[n - index * length :] = IGNORE
        return window[:-1], targets

    def _start_epoch(self, epoch: int) -> None:
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        self._epoch = epoch
        self._offset = int(generator.integers(self.context_length))
        self._order = generator.permutation(self.per_epoch)


def consecutive_windows(tokens: np.ndarray, context_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Every token but the first as a target once, in order, in windows that do not overlap: for evaluation.

    Returns:
        inputs and targets, (W, T) int64 each; what pads the last window has IGNORE as its target.
    """
    n_targets = len(tokens) - 1
    n_windows = max(0, -(-n_targets // context_length))
    inputs = np.zeros(n_windows * context_length, dtype=np.int64)
    targets = np.full_like(inputs, IGNORE)
    inputs[:n_targets] = tokens[:-1]
    targets[:n_targets] = tokens[1:]
    return inputs.reshape(n_windows, context_length), targets.reshape(n_windows, context_length)
