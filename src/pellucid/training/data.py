"""The text of a run: read, split, tokenised, and recognised again on resuming."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.corpora import is_named
from pellucid.text.documents import Corpus, Document
from pellucid.text.splits import Splits, split
from pellucid.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Token streams of the three splits, each (N,) integers, every document followed by end-of-text."""

    corpus: Corpus
    splits: Splits
    tokenizer: Tokenizer
    train: np.ndarray
    dev: np.ndarray
    validation: np.ndarray

    def record(self) -> dict[str, Any]:
        """What config.json keeps of the text, enough to know it again."""
        return {
            "name": self.corpus.name,
            "fingerprint": self.corpus.fingerprint,
            "documents": len(self.corpus.documents),
            "characters": self.corpus.n_characters,
            "bytes": self.corpus.n_bytes,
            "tokens": {"train": len(self.train), "dev": len(self.dev), "validation": len(self.validation)},
            "splits": self.splits.record,
            "tokenizer": {
                "kind": self.tokenizer.kind,
                "symbols": self.tokenizer.n_symbols,
                "reserved": self.tokenizer.n_reserved,
                "fingerprint": self.tokenizer.fingerprint,
            },
        }


def split_corpus(corpus: Corpus, seed: int, dev_fraction: float) -> Splits:
    """Raises: InputError when there is no text to train on."""
    splits = split(corpus.documents, seed=seed, dev_fraction=dev_fraction)
    if not splits.train:
        raise InputError(f"{corpus.name} is too short to train on: give more text")
    return splits


def tokenise(corpus: Corpus, splits: Splits, tokenizer: Tokenizer) -> TrainingData:
    """Encode the splits; counts of unknown characters are the caller's to report."""

    def encode(documents: tuple[Document, ...]) -> np.ndarray:
        tokens = tokenizer.encode_documents([document.text for document in documents])
        return tokens.astype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.int32)

    return TrainingData(
        corpus, splits, tokenizer, encode(splits.train), encode(splits.dev), encode(splits.validation)
    )


def absolute_sources(sources: Sequence[str | Path]) -> list[str]:
    """Sources as config.json keeps them: paths made absolute, so a resume finds them from anywhere."""

    def absolute(source: str | Path) -> str:
        path = Path(source).expanduser()
        # a named corpus stays one where a folder has the same name: `read` takes the corpus
        return str(path.resolve()) if not is_named(str(source)) and path.exists() else str(source)

    return [absolute(source) for source in sources]
