"""Train, dev and validation: what a model learns from, what choices are made by, what judges it once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.errors import InputError
from pellucid.text.documents import Document, fingerprint

MANY_DOCUMENTS = 20  # from here on whole documents are held out; below, the end of each
MOST_DEV = 100_000  # characters: enough for a steady dev loss, and quick to score many times


@dataclass(frozen=True)
class Splits:
    """Every character of the documents is in exactly one of the three, in its first order."""

    train: tuple[Document, ...]
    dev: tuple[Document, ...]
    validation: tuple[Document, ...]
    record: dict[str, Any]  # for the run folder: rules, counts, fingerprints; JSON


def split(
    documents: Sequence[Document], *, seed: int, dev_fraction: float = 0.05, validation_fraction: float = 0.1
) -> Splits:
    """Holds out validation, then cuts dev (at most 100,000 characters) from what is left.

    Fewer than 20 documents: the last tenth of each, for a single text cut exactly where nanoGPT cuts
    (`text[int(0.9 * len(text)):]`), so that losses compare. Twenty or more: whole documents, drawn by `seed`,
    up to a tenth of the characters; where whole documents cannot make up half of that (a few are very long),
    the last part of each instead. Dev is cut from the training part in the same way.

    Raises:
        InputError: a fraction is out of range, or nothing is left to train on.
    """
    for name, value in (("dev_fraction", dev_fraction), ("validation_fraction", validation_fraction)):
        if not 0 <= value < 1:
            raise InputError(f"{name} is a share from 0 to below 1, not {value}")
    documents = tuple(document for document in documents if document.text)
    if not documents:
        raise InputError("There is no text to split: give at least one document that is not empty")
    many = len(documents) >= MANY_DOCUMENTS
    rest, validation, rule = _hold_out(
        documents, validation_fraction, many, f"validation {seed}", nanogpt_cut
    )
    bounded = min(dev_fraction, MOST_DEV / max(1, _count(rest)))
    train, dev, dev_rule = _hold_out(rest, bounded, many, f"dev {seed}", bounded_cut)
    parts = {"train": train, "dev": dev, "validation": validation}
    record = {
        "rule": rule,
        "dev_rule": dev_rule,
        "seed": seed,
        "dev_fraction": dev_fraction,
        "validation_fraction": validation_fraction,
        "documents": {name: len(part) for name, part in parts.items()},
        "characters": {name: _count(part) for name, part in parts.items()},
        "fingerprints": {
            name: fingerprint(document.text for document in part) for name, part in parts.items()
        },
    }
    return Splits(train, dev, validation, record)


def nanogpt_cut(length: int, fraction: float) -> int:
    """Where `text[int(0.9 * len(text)):]` begins: 1,003,854 of tinyshakespeare's 1,115,394 characters."""
    return int((1 - fraction) * length)


def bounded_cut(length: int, fraction: float) -> int:
    """As above, rounded the other way, so that the ends of many documents together keep to a bound."""
    return length - int(fraction * length)


Held = tuple[tuple[Document, ...], tuple[Document, ...], str]  # what is left, what is held out, by which rule
Cut = Callable[[int, float], int]


def _hold_out(documents: tuple[Document, ...], fraction: float, many: bool, salt: str, cut: Cut) -> Held:
    if fraction == 0:
        return documents, (), "none"
    if many:
        target = round(fraction * _count(documents))
        chosen = _draw(documents, target, salt)
        if 2 * sum(len(documents[i].text) for i in chosen) >= target:
            rest = tuple(document for i, document in enumerate(documents) if i not in chosen)
            return rest, tuple(documents[i] for i in sorted(chosen)), "whole documents by seed"
    return _cut_ends(documents, fraction, cut)


def _draw(documents: tuple[Document, ...], target: int, salt: str) -> set[int]:
    """Documents that fit into `target` characters, in an order made by SHA-256, the same in every Python."""
    order = sorted(
        range(len(documents)), key=lambda index: hashlib.sha256(f"{salt} {index}".encode()).digest()
    )
    chosen, total = set[int](), 0
    for index in order:
        if total >= 0.95 * target:
            break  # near enough: going on would hold out only ever shorter documents
        if total + len(documents[index].text) <= target:
            chosen.add(index)
            total += len(documents[index].text)
    return chosen


def _cut_ends(documents: tuple[Document, ...], fraction: float, cut: Cut) -> Held:
    kept, held = list[Document](), list[Document]()
    for document in documents:
        # a document of one character is too short to cut, and is trained on
        at = cut(len(document.text), fraction) or len(document.text)
        kept.append(Document(document.text[:at], document.name))
        if at < len(document.text):
            held.append(Document(document.text[at:], document.name))
    return tuple(kept), tuple(held), f"the last {fraction:.3g} of each document"


def _count(documents: Sequence[Document]) -> int:
    return sum(len(document.text) for document in documents)
