"""How much of one text stands in another, word for word."""

from __future__ import annotations

from collections.abc import Iterable

PIECE = 60  # characters that two texts hardly share by chance


def overlap(texts: Iterable[str], others: Iterable[str]) -> float:
    """Share of the pieces of 60 characters that `texts` are cut into which stand anywhere in `others`."""
    pieces = [text[i : i + PIECE] for text in texts for i in range(0, len(text) - PIECE + 1, PIECE)]
    wanted = set(pieces)
    found: set[str] = set()
    for other in others:
        everywhere = (other[i : i + PIECE] for i in range(len(other) - PIECE + 1))
        found.update(piece for piece in everywhere if piece in wanted)
    return sum(piece in found for piece in pieces) / len(pieces) if pieces else 0.0
