"""One document against all: scores on held-out text of the first contender's documents, and of the others."""

from __future__ import annotations

from typing import Any

from pellucid.inspection.compare.contender import Extra, Figures, Table
from pellucid.inspection.compare.measures.figures import mean
from pellucid.inspection.compare.trial import Trained
from pellucid.text.documents import Document
from pellucid.training.data import token_dtype

BOOK = 1  # of `gutenberg-course`: Frankenstein


def _measure(trained: Trained) -> dict[str, Any]:
    parts = trained.material.splits.validation
    own, others = [parts[BOOK]], [part for number, part in enumerate(parts) if number != BOOK]
    return {"own": _score(trained, own), "others": _score(trained, others)}


def _score(trained: Trained, documents: list[Document]) -> float:
    tokenizer = trained.trial.data.tokenizer
    tokens = tokenizer.encode_documents([document.text for document in documents])
    return trained.losses(tokens.astype(token_dtype(tokenizer))).bits_per_byte


def _table(figures: Figures) -> Table:
    rows = tuple(
        (name, f"{mean(own, 'own'):.4f}", f"{mean(own, 'others'):.4f}") for name, own in figures.items()
    )
    header = ("contender", "held out of the one book", "held out of the others")
    return Table("Bits a byte, by what is predicted", header, rows)


GENRES = Extra(_measure, _table)
