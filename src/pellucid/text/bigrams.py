"""How often each token of a text follows each other: counts of neighbours, row by row.

Shapes: V vocabulary, N different pairs.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from pellucid.errors import InputError

MOST_COUNTED = 20_000_000  # tokens: more change the counts little, and these take 3 s
COUNTED_AT_ONCE = 1 << 21  # of them, which bounds the memory


@dataclasses.dataclass(frozen=True)
class PairCounts:
    """The pairs of neighbouring tokens that occur in a text, as compressed sparse rows.

    Args:
        ends: (V,) int64; row r, what follows token r, lies from ends[r - 1] to ends[r].
        followers: (N,) int32; the second token of each pair, ascending within a row.
        counts: (N,) int64; how often the pair occurs.
        tokens: (V,) int64; how often each token occurs.
    """

    ends: np.ndarray
    followers: np.ndarray
    counts: np.ndarray
    tokens: np.ndarray

    @property
    def vocab_size(self) -> int:
        return len(self.ends)

    @property
    def total(self) -> int:
        """Pairs counted: one less than tokens."""
        return int(self.counts.sum())

    @cached_property
    def kinds(self) -> np.ndarray:
        """(V,) int64: how many different tokens follow each token."""
        return np.diff(self.ends, prepend=0)

    @cached_property
    def row_totals(self) -> np.ndarray:
        """(V,) int64: how often each token is followed by any."""
        return np.diff(np.concatenate([[0], np.cumsum(self.counts)])[self.ends], prepend=0)

    def row(self, token: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens that follow `token`, ascending, and how often each does."""
        start = self.ends[token - 1] if token else 0
        return self.followers[start : self.ends[token]], self.counts[start : self.ends[token]]

    def of_pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """How often each `second[i]` follows `first[i]`, both (M,): (M,) int64."""
        wanted = first.astype(np.int64) * self.vocab_size + second
        if not len(self.counts):
            return np.zeros(len(wanted), np.int64)
        place = np.minimum(np.searchsorted(self._pairs, wanted), len(self.counts) - 1)
        return np.where(self._pairs[place] == wanted, self.counts[place], 0)

    def probabilities(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """How probable each `second[i]` is after `first[i]`, both (M,): (M,) float64.

        Rows are smoothed towards the unigram (Witten & Bell 1991, method C: a row's weight on what it saw is
        its count over count plus number of different followers), and the unigram towards the uniform.
        """
        kinds = self.kinds[first]
        denominator = self.row_totals[first] + kinds
        unigram = self._unigram[second]
        with np.errstate(invalid="ignore", divide="ignore"):
            smoothed = (self.of_pairs(first, second) + kinds * unigram) / denominator
        return np.where(denominator > 0, smoothed, unigram)

    @cached_property
    def _unigram(self) -> np.ndarray:
        """(V,) float64: how probable each token is, one added to its count."""
        return (self.tokens + 1.0) / (self.tokens + 1.0).sum()

    @cached_property
    def _pairs(self) -> np.ndarray:
        """(N,) int64: each pair as first · V + second, ascending."""
        first = np.repeat(np.arange(self.vocab_size, dtype=np.int64), self.kinds)
        return first * self.vocab_size + self.followers

    def fits(self, tokens: np.ndarray, vocab_size: int) -> bool:
        """Whether they can be those of a stream (T,), by its length and its vocabulary."""
        return self.vocab_size == vocab_size and int(self.tokens.sum()) == min(len(tokens), MOST_COUNTED)

    # ------------------------------------------------------------------ reading and writing

    def save(self, path: Path) -> None:
        """As a safetensors file without metadata, so that equal counts are equal bytes."""
        path.write_bytes(save({field.name: getattr(self, field.name) for field in dataclasses.fields(self)}))

    @classmethod
    def load(cls, path: Path) -> PairCounts:
        """Raises: InputError when the file is missing or damaged."""
        try:
            arrays = load_file(path)
            counts = cls(**arrays)
            sound = counts._is_sound()
        except FileNotFoundError:
            raise InputError(
                f"{path} is missing: it is written when training starts, and when a run is resumed"
            ) from None
        except (SafetensorError, OSError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}): delete it, and resume the run") from None
        if not sound:
            raise InputError(f"{path} is damaged (its counts do not add up): delete it, and resume the run")
        return counts

    def _is_sound(self) -> bool:
        arrays = (self.ends, self.followers, self.counts, self.tokens)
        if any(array.ndim != 1 or array.dtype.kind != "i" for array in arrays):
            return False
        sizes = len(self.tokens) == len(self.ends) > 0 and len(self.followers) == len(self.counts)
        if not sizes or self.ends[-1] != len(self.counts) or (np.diff(self.ends, prepend=0) < 0).any():
            return False
        inside = ((self.followers >= 0) & (self.followers < len(self.ends))).all()
        # every token but the last one is followed by another
        missing = self.tokens - self.row_totals
        return bool(inside and (self.counts > 0).all() and (missing >= 0).all() and missing.sum() <= 1)


def count_pairs(tokens: np.ndarray, vocab_size: int) -> PairCounts:
    """The pairs of neighbours in a stream of tokens (T,) below `vocab_size`: of a longer one, in its first 20 million.

    The stream is taken in chunks, so it may be mapped from a file.
    """
    tokens = tokens[:MOST_COUNTED]
    parts, singles = [], np.zeros(vocab_size, np.int64)
    for start in range(0, max(1, len(tokens)), COUNTED_AT_ONCE):
        part = tokens[start : start + COUNTED_AT_ONCE + 1].astype(np.int64)
        singles += np.bincount(part[:COUNTED_AT_ONCE], minlength=vocab_size)
        parts.append(np.unique(part[:-1] * vocab_size + part[1:], return_counts=True))
    pairs, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
    seen, places = np.unique(pairs, return_inverse=True)
    return PairCounts(
        ends=np.searchsorted(seen, np.arange(1, vocab_size + 1) * vocab_size).astype(np.int64),
        followers=(seen % vocab_size).astype(np.int32),
        counts=np.bincount(places, weights=counts, minlength=len(seen)).astype(np.int64),
        tokens=singles,
    )
