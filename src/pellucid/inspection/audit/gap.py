"""How much better a model predicts what it learned from than what was held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import InputError
from pellucid.inspection.audit.material import Material
from pellucid.text.packing import Example
from pellucid.training.evaluation import Score

MOST_TOKENS = 50_000  # scored of each part
PIECES = 16  # places of the text that they come from


@dataclasses.dataclass(frozen=True)
class Gap:
    """Bits per byte of each, over so many bytes."""

    train: float
    held_out: float
    n_bytes_train: int
    n_bytes_held_out: int

    @property
    def bits(self) -> float:
        return self.held_out - self.train


def measure_gap(material: Material) -> Gap:
    """The loss on even samples of both parts, dropout off.

    Raises:
        InputError: nothing was held out, or the training is not known.
    """
    material.require_own()
    train, held_out = _score(material, material.data.train), _score(material, material.held_out)
    if not (train.n_bytes and held_out.n_bytes):
        raise InputError("nothing was held out from training, or too little to compare with")
    return Gap(train.bits_per_byte, held_out.bits_per_byte, train.n_bytes, held_out.n_bytes)


def _score(material: Material, part: Any) -> Score:
    run, length = material.run, material.run.model.config.context_length
    evaluator: Any = material.data.evaluator(min(length, getattr(material.data, "length", length)))
    sample = spread(part, length) if isinstance(part, np.ndarray) else spread_examples(part)
    return evaluator.score(run.model, sample, run.device)


def spread(tokens: np.ndarray, length: int) -> np.ndarray:
    """At most about MOST_TOKENS of them, in pieces of whole windows of `length` from all over the text."""
    if len(tokens) <= MOST_TOKENS + 1:
        return tokens
    piece = max(1, MOST_TOKENS // PIECES // length) * length
    starts = np.linspace(0, len(tokens) - piece - 1, max(1, MOST_TOKENS // piece)).astype(int)
    return np.concatenate([tokens[start : start + piece] for start in starts])


def spread_examples(examples: Sequence[Example]) -> Sequence[Example]:
    """At most about MOST_TOKENS tokens of them, evenly."""
    total = sum(map(len, examples))
    return list(examples)[:: -(-total // MOST_TOKENS)] if total else []
