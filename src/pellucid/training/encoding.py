"""Text that streams by becomes tokens: read in batches, encoded on all cores meanwhile, given back in order."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pellucid.text.parts import Reading, changed, runs
from pellucid.text.splits import PARTS
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.data import token_dtype

BATCH = 1 << 19  # characters encoded at a time: the library needs about 50 bytes for each
ENCODERS = 2  # batches being encoded: while one becomes numbers in Python, the cores work on the other
WAITING = 4  # batches read, encoded and not yet written, at most

Piece = tuple[int, str, bool]  # index into PARTS, what to encode, and whether a document's part ends there


@dataclass
class Position:
    """How far the encoding has come; all of it is on disk."""

    characters: int = 0
    fingerprint: str = ""  # of the text that was read up to here
    tokens: tuple[int, ...] = (0,) * len(PARTS)
    unknown: int = 0
    unknown_characters: str = ""  # which those are, each once


@dataclass(frozen=True)
class Batch:
    """Pieces to encode together, and how far the text was read when they were complete."""

    pieces: list[Piece]
    characters: int
    fingerprint: str


def _pieces(reading: Reading, tokenizer: Tokenizer) -> Iterator[Piece]:
    for part, chunks in runs(reading):
        pieces = tokenizer.pieces(chunks)
        last = next(pieces)
        for piece in pieces:
            yield part, last, False
            last = piece
        yield part, last, True


def batches(reading: Reading, tokenizer: Tokenizer, start: Position) -> Iterator[Batch]:
    """What comes after `start`, in batches; what comes before is read all the same, for the fingerprints.

    Raises:
        InputError: what comes before is not what it was.
    """
    pieces = _pieces(reading, tokenizer)
    characters = 0
    if start.characters:
        for _, piece, _ in pieces:
            characters += len(piece)
            if characters >= start.characters:
                break
    if start.characters and (characters, reading.corpus.hexdigest()) != (start.characters, start.fingerprint):
        raise changed(reading.inventory)
    batch, size = list[Piece](), 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece[1])
        if size >= BATCH:
            characters += size
            yield Batch(batch, characters, reading.corpus.hexdigest())
            batch, size = [], 0
    if batch:
        yield Batch(batch, characters + size, reading.corpus.hexdigest())


def encoded(
    read: Iterator[Batch], tokenizer: Tokenizer, start: Position
) -> Iterator[tuple[Position, list[np.ndarray]]]:
    """The tokens of each batch by part, in order, and the position after it; reading and encoding overlap."""
    position = start
    waiting: deque[tuple[Batch, Future[list[np.ndarray]]]] = deque()
    with ThreadPoolExecutor(ENCODERS, "encoder") as encoders:
        try:
            for batch in itertools.chain(read, [None] * WAITING):
                if batch:
                    waiting.append((batch, encoders.submit(_encode_batch, tokenizer, batch.pieces)))
                if waiting and (batch is None or len(waiting) >= WAITING):
                    done, future = waiting.popleft()
                    tokens = future.result()
                    position = _after(position, done, tokens, tokenizer)
                    yield position, tokens
        finally:
            encoders.shutdown(cancel_futures=True)


def _encode_batch(tokenizer: Tokenizer, pieces: list[Piece]) -> list[np.ndarray]:
    """The tokens of each part, an end-of-text token after each document's."""
    parts: list[list[np.ndarray]] = [[np.empty(0, np.int32)] for _ in PARTS]
    end = np.array([tokenizer.end_of_text], dtype=np.int32)
    encoded = tokenizer.encode_pieces([text for _, text, _ in pieces])
    for (part, _, ends_document), ids in zip(pieces, encoded, strict=True):
        parts[part].append(ids)
        if ends_document:
            parts[part].append(end)
    dtype = token_dtype(tokenizer).newbyteorder("<")
    return [np.concatenate(part).astype(dtype) for part in parts]


def _after(position: Position, batch: Batch, tokens: list[np.ndarray], tokenizer: Tokenizer) -> Position:
    unknown, which = 0, position.unknown_characters
    if tokenizer.unknown is not None:
        unknown = sum(int((part == tokenizer.unknown).sum()) for part in tokens)
    if unknown:
        new = tokenizer.unknown_characters("".join(text for _, text, _ in batch.pieces))
        which = "".join(dict.fromkeys(which + new))
    counts = tuple(before + len(part) for before, part in zip(position.tokens, tokens, strict=True))
    return Position(batch.characters, batch.fingerprint, counts, position.unknown + unknown, which)
