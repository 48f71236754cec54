"""Byte-level byte-pair encoding: frequent runs of bytes are one token, and any text can be written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from pellucid.errors import InputError
from pellucid.text.decoding import without_surrogates
from pellucid.text.documents import Progress
from pellucid.text.tokenizers.byte_level import (
    BYTE_OF,
    SPECIAL,
    ByteLevelTokenizer,
    check_size,
    cut_at_seams,
    told,
)

MOST_TRAINING = 64_000_000  # characters: more change the merges little, and a million takes 0.4 s

# Learning takes time with the square of a word's length: a million letters without a blank would never end.
LONG_RUN = re.compile(r"\S{500}|\s{500}")


class BPETokenizer(ByteLevelTokenizer):
    """A vocabulary of byte strings, made by merging the most frequent pair again and again.

    Source: Sennrich et al. 2016, section 3.2, over bytes as in GPT-2 (Radford et al. 2019, section 2.2).
    """

    kind = "bpe"

    @classmethod
    def _check_content(cls, content: dict[str, Any], special: dict[str, int], name: str) -> None:
        model, vocabulary = content["model"], content["model"]["vocab"]
        if not isinstance(model["merges"], list):
            raise InputError(f"{name} is damaged: its merges are not a list")
        strange = [token for token in vocabulary if token not in special and not BYTE_OF.keys() >= set(token)]
        missing = [character for character in BYTE_OF if character not in vocabulary]
        if strange or missing or "ByteLevel" not in str(content["pre_tokenizer"]) or "" in vocabulary:
            raise InputError(f"{name} is not a byte-level BPE with all 256 bytes: take --tokenizer bpe")
        changes = [key for key in ("dropout", "unk_token", "continuing_subword_prefix") if model.get(key)]
        if content.get("normalizer") or changes:
            raise InputError(
                f"{name} changes or drops parts of a text ({changes or 'normalizer'}): take --tokenizer bpe"
            )


def train_bpe(
    texts: Iterable[str],
    vocab_size: int,
    *,
    n_characters: int | None = None,
    progress: Progress | None = None,
) -> BPETokenizer:
    """A tokenizer learned from `texts`, of `vocab_size` tokens (reserved ones included) or what they allow.

    A pair is merged only if it occurs twice. Of more than 64 million characters, pieces from all over do.

    Args:
        n_characters: of all texts, where they have been counted; they are then taken as they come.

    Raises:
        InputError: a vocabulary that cannot hold all bytes, or is absurdly large.
    """
    check_size(vocab_size, len(BYTE_OF))
    engine = tokenizers.Tokenizer(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    engine.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learn(engine, trainer, texts, vocab_size, n_characters, progress)
    special = {token: id for id, token in enumerate(SPECIAL)}
    return BPETokenizer(engine, special, engine.to_str(pretty=True))


def learn(
    engine: tokenizers.Tokenizer,
    trainer: trainers.Trainer,
    texts: Iterable[str],
    vocab_size: int,
    n_characters: int | None,
    progress: Progress | None,
) -> None:
    """Let `trainer` fill `engine` with a vocabulary of pieces of `texts`; `progress` hears how far it is."""
    if progress:
        progress(f"learning a vocabulary of {vocab_size:,} tokens")
    if n_characters is None:
        texts = list(texts)
        n_characters = sum(map(len, texts))
    pieces = told(_training_pieces(texts, n_characters), min(n_characters, MOST_TRAINING), progress)
    engine.train_from_iterator(pieces, trainer)


def _training_pieces(texts: Iterable[str], n_characters: int) -> Iterator[str]:
    """All of a text, or pieces from all over it that make up about as much as is learned from."""
    every = -(-n_characters // MOST_TRAINING)
    pieces = (piece for text in texts for piece in cut_at_seams(without_surrogates(text)))
    for piece in itertools.islice(pieces, 0, None, max(1, every)):
        start = 0
        for run in LONG_RUN.finditer(piece):
            yield piece[start : run.end()]
            start = run.end()
        yield piece[start:]
