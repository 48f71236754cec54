"""Train, dev and validation: what a model learns from, what choices are made by, what judges it once.

The rules need only the lengths of the documents: `plan_splits` says which characters of which document go where, and
`split` does it to documents that are in memory.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.documents import Document, fingerprint

PARTS = ("train", "dev", "validation")  # in this order in every document
MANY_DOCUMENTS = 20  # from here on whole documents are held out; below, the end of each
MOST_DEV = 100_000  # characters: enough for a steady dev loss, and quick to score many times
VALIDATION_FRACTION = 0.1


@dataclass(frozen=True)
class Splits:
    """Every character of the documents is in exactly one of the three, in its first order."""

    train: tuple[Document, ...]
    dev: tuple[Document, ...]
    validation: tuple[Document, ...]
    record: dict[str, Any]  # for the run folder: rules, counts, fingerprints; JSON


@dataclass(frozen=True)
class SplitPlan:
    """Where each document is cut: up to `dev` for training, from there to `validation` for dev, then validation.

    All three are (N,) unsigned integers, characters; a document that is held out whole is cut at 0.
    """

    dev: np.ndarray
    validation: np.ndarray
    lengths: np.ndarray
    rules: dict[str, Any]  # rule, dev_rule, seed, dev_fraction, validation_fraction

    def bounds(self, document: int) -> tuple[int, int, int, int]:
        """Where train, dev and validation begin in a document, and where it ends."""
        return 0, int(self.dev[document]), int(self.validation[document]), int(self.lengths[document])

    def record(self, fingerprints: dict[str, str]) -> dict[str, Any]:
        """For the run folder: rules, counts and the given fingerprints of the parts; JSON."""
        documents, characters = {}, {}
        lower = np.zeros((), self.dev.dtype)
        for name, upper in zip(PARTS, (self.dev, self.validation, self.lengths), strict=True):
            size = upper - lower
            documents[name], characters[name] = int(np.count_nonzero(size)), _total(size)
            lower = upper
        return {
            **self.rules,
            "documents": documents,
            "characters": characters,
            "fingerprints": fingerprints,
        }


def split(
    documents: Sequence[Document],
    *,
    seed: int,
    dev_fraction: float = 0.05,
    validation_fraction: float = VALIDATION_FRACTION,
) -> Splits:
    """The documents in three parts, by the rules of `plan_splits`; empty ones are left out.

    Raises:
        InputError: a fraction is out of range, or there is no text.
    """
    documents = tuple(document for document in documents if document.text)
    plan = plan_splits(
        [len(document.text) for document in documents],
        seed=seed,
        dev_fraction=dev_fraction,
        validation_fraction=validation_fraction,
    )
    parts: dict[str, list[Document]] = {name: [] for name in PARTS}
    for number, document in enumerate(documents):
        edges = plan.bounds(number)
        for name, (start, stop) in zip(PARTS, itertools.pairwise(edges), strict=True):
            if start < stop:
                parts[name].append(Document(document.text[start:stop], document.name))
    fingerprints = {name: fingerprint(document.text for document in part) for name, part in parts.items()}
    train, dev, validation = (tuple(parts[name]) for name in PARTS)
    return Splits(train, dev, validation, plan.record(fingerprints))


def plan_splits(
    lengths: Sequence[int] | np.ndarray,
    *,
    seed: int,
    dev_fraction: float = 0.05,
    validation_fraction: float = VALIDATION_FRACTION,
) -> SplitPlan:
    """Holds out validation, then cuts dev (at most 100,000 characters) from what is left.

    Fewer than 20 documents: the last tenth of each, for a single text cut exactly where nanoGPT cuts
    (`text[int(0.9 * len(text)):]`), so that losses compare. Twenty or more: whole documents, drawn by `seed`,
    up to a tenth of the characters; where whole documents cannot make up half of that (a few are very long),
    the last part of each instead. Dev is cut from the training part in the same way.

    Args:
        lengths: of the documents, in characters, none of them 0.

    Raises:
        InputError: a fraction is out of range, or there is no document.
    """
    for name, value in (("dev_fraction", dev_fraction), ("validation_fraction", validation_fraction)):
        if not 0 <= value < 1:
            raise InputError(f"{name} is a share from 0 to below 1, not {value}")
    if not len(lengths):
        raise InputError("There is no text to split: give at least one document that is not empty")
    lengths = np.asarray(lengths)
    lengths = lengths.astype(np.uint32 if lengths.max() < 1 << 32 else np.uint64)
    kept, rule = _hold_out(lengths, validation_fraction, f"validation {seed}", nanogpt_cut)
    bounded = min(dev_fraction, MOST_DEV / max(1, _total(kept)))
    rest, dev_rule = _hold_out(kept, bounded, f"dev {seed}", bounded_cut)
    rules = {
        "rule": rule,
        "dev_rule": dev_rule,
        "seed": seed,
        "dev_fraction": dev_fraction,
        "validation_fraction": validation_fraction,
    }
    return SplitPlan(rest, kept, lengths, rules)


def nanogpt_cut(length: int, fraction: float) -> int:
    """Where `text[int(0.9 * len(text)):]` begins: 1,003,854 of tinyshakespeare's 1,115,394 characters."""
    return int((1 - fraction) * length)


def bounded_cut(length: int, fraction: float) -> int:
    """As above, rounded the other way, so that the ends of many documents together keep to a bound."""
    return length - int(fraction * length)


Held = tuple[np.ndarray, str]  # how much of each document is left, and by which rule the rest is held out
Cut = Callable[[int, float], int]


def _hold_out(lengths: np.ndarray, fraction: float, salt: str, cut: Cut) -> Held:
    """Documents of length 0 have been held out before, and play no part."""
    if fraction == 0:
        return lengths, "none"
    if len(lengths) >= MANY_DOCUMENTS:
        target = round(fraction * _total(lengths))
        chosen = _draw(lengths, target, salt)
        if 2 * _total(lengths[chosen]) >= target:
            kept = lengths.copy()
            kept[chosen] = 0
            return kept, "whole documents by seed"
    # a document of one character is too short to cut, and is trained on
    ends = (cut(length, fraction) or length for length in _whole_numbers(lengths))
    return np.fromiter(ends, lengths.dtype, len(lengths)), f"the last {fraction:.3g} of each document"


def _draw(lengths: np.ndarray, target: int, salt: str) -> np.ndarray:
    """Documents that fit into `target` characters, in an order made by SHA-256, the same in every Python."""
    there = np.flatnonzero(lengths)
    keys = (hashlib.sha256(f"{salt} {index}".encode()).digest()[:8] for index in range(len(there)))
    order = np.argsort(
        np.fromiter((int.from_bytes(key) for key in keys), np.uint64, len(there)), kind="stable"
    )
    chosen, total = list[int](), 0
    for place in _whole_numbers(order):
        index = int(there[place])
        if total >= 0.95 * target:
            break  # near enough: going on would hold out only ever shorter documents
        if total + int(lengths[index]) <= target:
            chosen.append(index)
            total += int(lengths[index])
    return np.array(chosen, dtype=np.int64)


def _whole_numbers(values: np.ndarray, at_once: int = 4096) -> Iterator[int]:
    """Python's integers, a few at a time: as objects, those of a million documents would fill memory."""
    for start in range(0, len(values), at_once):
        yield from values[start : start + at_once].tolist()


def _total(lengths: np.ndarray) -> int:
    return int(lengths.sum(dtype=np.uint64))
