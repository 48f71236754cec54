"""The text of a run: read, split, tokenised, and recognised again on resuming."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.text.corpora.registry import is_named
from pellucid.text.documents import Corpus, Document
from pellucid.text.files import expand_home
from pellucid.text.splits import Splits, split
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.text.windows import Windows
from pellucid.training.config import TrainConfig
from pellucid.training.evaluation import Evaluator


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Token streams of the three splits, each (N,) integers, every document followed by end-of-text.

    `record` is what config.json keeps of the text, enough to know it again.
    """

    record: dict[str, Any]
    tokenizer: Tokenizer
    train: np.ndarray
    dev: np.ndarray
    validation: np.ndarray

    @property
    def n_dev(self) -> int:
        """Tokens of the dev split."""
        return len(self.dev)

    def batches(self, length: int, seed: int) -> Windows:
        """What there is to learn: windows of `length` tokens.

        Raises:
            InputError: the training split is shorter than one.
        """
        return Windows(self.train, length, seed)

    def evaluator(self, length: int) -> Evaluator:
        return Evaluator(self.tokenizer, length)

    def dev_part(self, limit: int) -> np.ndarray:
        """The beginning of the dev split, with at most `limit` targets; 0 is all."""
        return self.dev[: (limit or len(self.dev)) + 1]

    def train_part(self, limit: int) -> np.ndarray:
        return self.train[: limit + 1]

    def sample(self, engine: Engine, config: TrainConfig, options: SamplingOptions) -> str:
        """What the model writes now."""
        return config.sample_prompt + engine.generate(config.sample_prompt, options)[0].text


def text_record(
    *,
    name: str,
    fingerprint: str,
    documents: int,
    characters: int,
    n_bytes: int,
    tokens: dict[str, int],
    splits: dict[str, Any],
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """The record of a text and its tokens, as JSON; `fingerprint` is `Corpus.fingerprint`."""
    return {
        "name": name,
        "fingerprint": fingerprint,
        "documents": documents,
        "characters": characters,
        "bytes": n_bytes,
        "tokens": tokens,
        "splits": splits,
        "tokenizer": {
            "kind": tokenizer.kind,
            "symbols": tokenizer.n_symbols,
            "reserved": tokenizer.n_reserved,
            "fingerprint": tokenizer.fingerprint,
        },
    }


def token_dtype(tokenizer: Tokenizer) -> np.dtype:
    """The smaller of uint16 and int32 that holds every token."""
    return np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.int32)


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
        return tokens.astype(token_dtype(tokenizer))

    parts = {
        "train": encode(splits.train),
        "dev": encode(splits.dev),
        "validation": encode(splits.validation),
    }
    record = text_record(
        name=corpus.name,
        fingerprint=corpus.fingerprint,
        documents=len(corpus.documents),
        characters=corpus.n_characters,
        n_bytes=corpus.n_bytes,
        tokens={part: len(tokens) for part, tokens in parts.items()},
        splits=splits.record,
        tokenizer=tokenizer,
    )
    return TrainingData(record, tokenizer, **parts)


def absolute_sources(sources: str | Path | Sequence[str | Path]) -> list[str]:
    """Sources as config.json keeps them: paths made absolute, so a resume finds them from anywhere."""
    listed = [sources] if isinstance(sources, str | Path) else list(sources)

    def absolute(source: str | Path) -> str:
        path = expand_home(Path(source))
        # a named corpus stays one where a folder has the same name: `read` takes the corpus
        return str(path.resolve()) if not is_named(str(source)) and path.exists() else str(source)

    return [absolute(source) for source in listed]


def own_sources(sources: list[str], uploaded: Path) -> list[str]:
    """The sources of a run, those that came with it looked for in its folder `uploaded`, wherever the run lies now."""

    def here(source: str) -> str:
        parts = Path(source).parts
        if Path(source).exists() or uploaded.name not in parts:
            return source
        moved = uploaded.joinpath(*parts[parts.index(uploaded.name) + 1 :])
        return str(moved) if moved.exists() else source

    return [here(source) for source in sources]
