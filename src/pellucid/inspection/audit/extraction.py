"""Whether the model goes on with the training text's own words: prefixes of it, continued greedily.

After Carlini et al. 2022, "Quantifying Memorization Across Neural Language Models": 32 tokens are given, 32 more are
asked for. Held-out text, which the model never saw, is the measure of what is easily guessed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.inspection.audit.material import Material, Progress, stretches, unwritable
from pellucid.text.packing import Example

PREFIXES = 200
LENGTH = 32  # tokens given, and asked for
LEAST = 4  # tokens of either, or there is nothing to reproduce
MOST_READ = 256  # tokens of a conversation before a reply
AT_ONCE = 16
WHAT = "Continuing prefixes"


@dataclasses.dataclass(frozen=True)
class Piece:
    """What is read and what stood after it, in tokens."""

    prompt: tuple[int, ...]
    after: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Reproduced:
    """Of `n` prefixes so many were continued word for word; `tokens_right` is how far they were, on average."""

    n: int
    exact: int
    tokens_right: float
    tokens_asked: float

    @property
    def share(self) -> float:
        return self.exact / self.n


@dataclasses.dataclass(frozen=True)
class Extraction:
    """The training text beside held-out text, None where there is none."""

    train: Reproduced
    held_out: Reproduced | None


def measure_extraction(material: Material, seed: int, progress: Progress) -> Extraction:
    """Continue training prefixes and held-out ones.

    Raises:
        InputError: no stretch of the training text is long enough.
    """
    length = _length(material)
    train = _pieces(material, material.data.train, length, seed)
    if not train:
        raise InputError(
            f"the training text has no stretch of {2 * LEAST} tokens that the model could continue"
        )
    held_out = _pieces(material, material.held_out, length, seed)
    total = len(train) + len(held_out)
    of_train = _continue(material, train, 0, total, progress)
    return Extraction(
        of_train, _continue(material, held_out, len(train), total, progress) if held_out else None
    )


def _length(material: Material) -> int:
    """Tokens given, and asked for, of a text: the same of both parts, and fewer where one is small."""
    n_held_out = len(material.held_out)
    n_tokens = min(len(material.data.train), n_held_out if n_held_out >= 4 * LEAST else LENGTH * 4)
    return max(LEAST, min(LENGTH, material.run.model.config.context_length // 2, n_tokens // 4))


def _pieces(material: Material, part: np.ndarray | Sequence[Example], length: int, seed: int) -> list[Piece]:
    draw = np.random.default_rng(seed)
    silent, context = unwritable(material.tokenizer), material.run.model.config.context_length
    if isinstance(part, np.ndarray):
        return text_pieces(part, silent, length, draw)
    return reply_pieces(part, silent, context, draw)


def text_pieces(
    tokens: np.ndarray, silent: np.ndarray, length: int, draw: np.random.Generator
) -> list[Piece]:
    """Stretches of 2 × `length` tokens within a document, from all over the text; fewer where it is small."""
    n_starts = len(tokens) - 2 * length + 1
    if n_starts < 1:
        return []
    most = min(PREFIXES, -(-n_starts // LEAST))
    starts = np.unique(draw.integers(0, n_starts, 20 * PREFIXES))
    pieces = []
    for start in draw.permutation(starts).tolist():
        ids = np.asarray(tokens[start : start + 2 * length])
        if not silent[ids].any():
            pieces.append(Piece(tuple(ids[:length].tolist()), tuple(ids[length:].tolist())))
        if len(pieces) == most:
            break
    return pieces


def reply_pieces(
    examples: Sequence[Example], silent: np.ndarray, context: int, draw: np.random.Generator
) -> list[Piece]:
    """Replies with what was said before them: up to half of each is given, up to 32 tokens, and as many asked for."""
    pieces = []
    for index in draw.permutation(len(examples)).tolist():
        ids, learned = examples[index].ids, examples[index].learned
        for start, end in stretches(learned & ~silent[ids]):
            given = min(LENGTH, (end - start) // 2, context // 2)
            if given < LEAST:
                continue
            after = ids[start + given : min(end, start + given + LENGTH)]
            room = min(MOST_READ, context - len(after))
            prompt = ids[max(0, start + given - room) : start + given]
            pieces.append(Piece(tuple(prompt.tolist()), tuple(after[:given].tolist())))
        if len(pieces) >= PREFIXES:
            break
    return pieces[:PREFIXES]


def _continue(
    material: Material, pieces: Sequence[Piece], done: int, total: int, progress: Progress
) -> Reproduced:
    engine = material.run.engine()
    right, exact = 0, 0
    for start in range(0, len(pieces), AT_ONCE):
        some = pieces[start : start + AT_ONCE]
        options = [SamplingOptions(temperature=0, max_tokens=len(piece.after)) for piece in some]
        written = engine.generate([piece.prompt for piece in some], options)
        for piece, result in zip(some, written, strict=True):
            agreed = _agreement(piece.after, result.ids)
            right += agreed
            exact += agreed == len(piece.after)
        progress(WHAT, done + start + len(some), total)
    asked = sum(len(piece.after) for piece in pieces)
    return Reproduced(len(pieces), exact, right / len(pieces), asked / len(pieces))


def _agreement(wanted: Sequence[int], written: Sequence[int]) -> int:
    """How many tokens are as wanted before the first that is not."""
    pairs = zip(wanted, written, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(written)))
