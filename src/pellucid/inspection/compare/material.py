"""The text of a comparison: read once, split once, and cut into tokens once for each tokenizer.

Splits are `train`'s, by one seed for all: whatever a contender's own seed is, validation is the same text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.errors import InputError
from pellucid.inspection.compare.contender import Contender
from pellucid.text.corpora.named import demo_corpus
from pellucid.text.documents import Corpus
from pellucid.text.sources import read
from pellucid.text.tokenizers.tokenizer import build_tokenizer
from pellucid.training.config import TrainConfig
from pellucid.training.data import TrainingData, split_corpus, token_dtype, tokenise
from pellucid.training.settings import Request

SPLIT_SEED = 0
LEAST_WINDOWS = 4  # of a text that is cut so short as to be read several times

Tell = Callable[[str], None]


class Material:
    """Gives every contender its tokens.

    Args:
        note: hears what was decided of the text.

    Raises:
        InputError: there is no text, or too little.
    """

    def __init__(self, corpus: Corpus, note: Tell) -> None:
        self.corpus, self.note = corpus, note
        self.splits = split_corpus(corpus, SPLIT_SEED, TrainConfig.dev_fraction)
        if not self.splits.validation:
            raise InputError(f"{corpus.name} leaves nothing to validate on: give more text")
        self._tokenised: dict[tuple[Any, Any], TrainingData] = {}

    def data(self, asked: Request) -> TrainingData:
        """All of the text, in the tokens that are asked for."""
        key = (asked.tokenizer, asked.text.get("vocab_size"))
        if key not in self._tokenised:
            tokenizer, reason = build_tokenizer(
                asked.tokenizer,
                [document.text for document in self.splits.train],
                asked.text.get("vocab_size"),
                progress=self.note,
                keep=True,
            )
            self._tokenised[key] = tokenise(self.corpus, self.splits, tokenizer)
            self.note(f"Tokens: {reason}.")
        return self._tokenised[key]

    def of(self, contender: Contender, data: TrainingData, config: TrainConfig, window: int) -> TrainingData:
        """What the contender reads of it; what is held out stays the same.

        Args:
            window: tokens of a window.

        Raises:
            InputError: the text has too few documents, or too few tokens.
        """
        if contender.documents:
            data = dataclasses.replace(data, train=self._documents(contender, data))
        if contender.times:
            steps = config.planned_steps(1, window)
            if steps is None:
                raise InputError(
                    f"{contender.name} reads its text {contender.times} times, which minutes do not tell: "
                    "give --steps instead of --minutes"
                )
            n_tokens = steps * config.batch_size * window // contender.times
            if not LEAST_WINDOWS * window < n_tokens <= len(data.train):
                raise InputError(
                    f"{contender.name} wants {n_tokens:,} tokens of {len(data.train):,}: change --steps, or the text"
                )
            data = dataclasses.replace(data, train=data.train[:n_tokens])
        return data

    def _documents(self, contender: Contender, data: TrainingData) -> Any:
        there = len(self.splits.train)
        if there < 2 or len(self.splits.validation) != there or max(contender.documents) >= there:
            raise InputError(
                f"{contender.name} wants a text of several documents, of each of which a part is held out: "
                "give from 2 to 19 files, or leave out --text"
            )
        texts = [self.splits.train[number].text for number in contender.documents]
        return data.tokenizer.encode_documents(texts).astype(token_dtype(data.tokenizer))


def read_material(sources: Sequence[str], default: str, note: Tell) -> Material:
    """The text that is named, or the set's own; of Shakespeare, without a network, what `demo` takes instead."""
    if not sources and default == "shakespeare":
        corpus = demo_corpus(progress=note)
    else:
        corpus = read(list(sources) or [default], progress=note)
    for line in corpus.notes:
        note(line)
    return Material(corpus, note)
