"""How much of one text stands in another, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

PIECE = 60  # characters that two texts hardly share by chance
BLOCK = 1 << 20  # characters searched at a time
BASE = 0x9E3779B97F4A7C15  # of the hashes; odd, so that it can be divided by
OURS, THEIRS = "\ue000", "\ue001"  # what keeps texts apart; never in both
# where words are not told apart by blanks, a character counts as one
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def overlap(texts: Iterable[str], others: Iterable[str]) -> float:
    """Share of the pieces of 60 characters that `texts` are cut into which stand anywhere in `others`."""
    pieces = [text[i : i + PIECE] for text in texts for i in range(0, len(text) - PIECE + 1, PIECE)]
    wanted = set(pieces)
    found: set[str] = set()
    for other in others:
        everywhere = (other[i : i + PIECE] for i in range(len(other) - PIECE + 1))
        found.update(piece for piece in everywhere if piece in wanted)
    return sum(piece in found for piece in pieces) / len(pieces) if pieces else 0.0


def words(text: str) -> list[str]:
    """The words of a text, case and punctuation aside."""
    return WORD.findall(text.casefold())


def ngrams(text: str, n: int) -> list[str]:
    """Every `n` words in a row, in order."""
    all_words = words(text)
    return [" ".join(all_words[i : i + n]) for i in range(len(all_words) - n + 1)]


def shared_ngrams(texts: Iterable[str], others: Iterable[str], n: int) -> tuple[int, int]:
    """How many of the n-grams of words in `texts` stand in any of `others`, and how many there are."""
    grams = [gram for text in texts for gram in ngrams(text, n)]
    wanted = set(grams)
    found: set[str] = set()
    for other in others:
        found.update(wanted.intersection(ngrams(other, n)))
    return sum(gram in found for gram in grams), len(grams)


def longest_match(texts: Sequence[str], others: Iterable[str]) -> str:
    """The longest stretch of any of `texts` that stands, character for character, in one of `others`.

    A stretch of one length is looked for by its hash (Karp and Rabin 1987), and longer ones only where there is one.
    """
    longest = max(map(len, texts), default=0)
    ours = _Stretches(OURS.join(texts))
    best = ""
    for block in _blocks(others, longest):
        theirs = _Stretches(block)
        low, high = len(best), min(longest, len(block))
        reach = low + 1
        while low < high:
            if found := ours.common(theirs, reach):
                low, best = reach, found
            else:
                high = reach - 1  # after the first look, of most blocks, nothing is left
            reach = (low + high + 1) // 2
    return best


class _Stretches:
    """A text whose stretches of any one length can be looked for all at once."""

    def __init__(self, text: str) -> None:
        self.text = text
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        with np.errstate(over="ignore"):  # arithmetic is modulo 2^64
            powers = np.cumprod(np.full(len(codes), BASE, dtype=np.uint64))
            inverse = np.uint64(pow(BASE, -1, 1 << 64))
            self.back = np.cumprod(np.full(len(codes), inverse, dtype=np.uint64))
            self.sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum((codes + np.uint64(1)) * powers)])

    def hashes(self, length: int) -> np.ndarray:
        """(N − length + 1,) uint64: one of each stretch of `length` characters."""
        if length > len(self.text):
            return np.zeros(0, np.uint64)
        with np.errstate(over="ignore"):
            return (self.sums[length:] - self.sums[:-length]) * self.back[: len(self.text) - length + 1]

    def common(self, other: _Stretches, length: int) -> str:
        """A stretch of `length` characters that both have, or nothing."""
        mine = self.hashes(length)
        for place in np.flatnonzero(np.isin(mine, other.hashes(length))).tolist():
            stretch = self.text[place : place + length]
            if OURS not in stretch and stretch in other.text:
                return stretch
        return ""


def _blocks(texts: Iterable[str], longest: int) -> Iterator[str]:
    """Texts together, or piece by piece so that each stretch of up to `longest` characters is whole in one."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        for start in range(0, max(1, len(text)), BLOCK):
            piece = text[start : start + BLOCK + longest]
            waiting.append(piece)
            size += len(piece)
            if size >= BLOCK:
                yield THEIRS.join(waiting)
                waiting, size = [], 0
    if waiting:
        yield THEIRS.join(waiting)
