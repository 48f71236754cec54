"""Byte-level byte-pair encoding: frequent runs of bytes are one token, and any text can be written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.tokenizer import RESERVED, UNKNOWN, Tokenizer, reserved_ids

SPECIAL = tuple(token for token in RESERVED if token != UNKNOWN)  # bytes are never unknown
LEAST_VOCABULARY = 256 + len(SPECIAL)
MOST_VOCABULARY = 1 << 20
MOST_TRAINING = 64_000_000  # characters: more change the merges little, and a million takes 0.4 s
PIECE = 1 << 14  # characters: a long document is encoded in pieces of about this, on all cores
LONGEST = 1 << 20  # characters more that a piece without a seam has at most
BATCH = 2 << 20  # characters encoded at a time: the library needs about 50 bytes for each

# A blank after a letter: the patterns of GPT-2, GPT-4, Llama 3 and Qwen all cut there, and none looks back.
SEAM = re.compile(r"[^\W\d_](?=[ \n])")

# Learning takes time with the square of a word's length: a million letters without a blank would never end.
LONG_RUN = re.compile(r"\S{500}|\s{500}")

Piece = tuple[str, bool]  # a text, and whether its document ends there


class BPETokenizer(Tokenizer):
    """A vocabulary of byte strings, made by merging the most frequent pair again and again.

    Source: Sennrich et al. 2016, section 3.2, over bytes as in GPT-2 (Radford et al. 2019, section 2.2).
    """

    kind = "bpe"

    def __init__(self, engine: tokenizers.Tokenizer, special: dict[str, int], text: str) -> None:
        """`text` is the tokenizer.json of `engine`, kept as it is, so that the fingerprint never changes."""
        engine.encode_special_tokens = True  # `<|endoftext|>` in a text is text
        engine.no_padding()
        engine.no_truncation()
        self._engine = engine
        self._text = text
        self._special = special
        self.n_reserved = len(special)
        self.vocab_size = engine.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> np.ndarray:
        return self._encode((piece, False) for piece in cut_at_seams(_clean(text)))

    def encode_documents(self, texts: Iterable[str]) -> np.ndarray:
        return self._encode(_pieces_of_documents(texts))

    def _encode(self, pieces: Iterable[Piece]) -> np.ndarray:
        parts, end = [np.empty(0, np.int32)], np.array([self.end_of_text], dtype=np.int32)
        for batch in _batches(pieces):
            encoded = self.encode_pieces([text for text, _ in batch])
            for (_, ends_document), ids in zip(batch, encoded, strict=True):
                parts.append(ids)
                if ends_document:
                    parts.append(end)
        return np.concatenate(parts)

    def pieces(self, chunks: Iterable[str]) -> Iterator[str]:
        return cut_stream(map(_clean, chunks))

    def encode_pieces(self, pieces: Sequence[str]) -> list[np.ndarray]:
        encodings = self._engine.encode_batch_fast(pieces, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def to_json(self) -> str:
        return self._text

    @cached_property
    def _bytes(self) -> list[bytes]:
        reserved = set(self._special.values())
        tokens = (self._engine.id_to_token(id) or "" for id in range(self.vocab_size))
        return [
            b"" if id in reserved else bytes(map(BYTE_OF.__getitem__, token))
            for id, token in enumerate(tokens)
        ]

    @classmethod
    def from_json(cls, content: dict[str, Any], text: str, name: str) -> BPETokenizer:
        """The tokenizer of a parsed tokenizer.json, made here or elsewhere.

        Raises:
            InputError: damaged, without our reserved tokens, or unable to write some texts.
        """
        special = reserved_ids(content, name, SPECIAL)
        _check_model(content, special, name)
        try:
            engine = tokenizers.Tokenizer.from_str(text)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the library raises bare Exception, and panics are not even that
            raise InputError(f"{name} is damaged ({str(error)[:100]}): take one from another run") from None
        tokenizer = cls(engine, special, text)
        if tokenizer.vocab_size != len(set(content["model"]["vocab"].values()) | set(special.values())):
            raise InputError(f"{name} is damaged: the ids of its vocabulary are not the numbers from 0 on")
        for probe in PROBES:
            if tokenizer.decode(tokenizer.encode(probe)) != probe:
                raise InputError(
                    f"{name} is not byte-level: it does not give {probe!r} back. Take --tokenizer bpe"
                )
        return tokenizer


def _check_model(content: dict[str, Any], special: dict[str, int], name: str) -> None:
    """Raises InputError unless this is a byte-level BPE with all bytes and the ids 0, 1, 2, …"""
    damaged = InputError(f"{name} is damaged: its vocabulary or its merges are not what they should be")
    try:
        vocabulary, merges = content["model"]["vocab"], content["model"]["merges"]
        if not isinstance(vocabulary, dict) or not isinstance(merges, list):
            raise damaged
        everything = {**vocabulary, **special}
        if not all(type(id) is int for id in everything.values()):
            raise damaged
        if sorted(everything.values()) != list(range(len(everything))) or any(
            vocabulary.get(token, id) != id for token, id in special.items()
        ):
            raise damaged
        strange = [token for token in vocabulary if token not in special and not BYTE_OF.keys() >= set(token)]
        missing = [character for character in BYTE_OF if character not in vocabulary]
        if strange or missing or "ByteLevel" not in str(content["pre_tokenizer"]) or "" in vocabulary:
            raise InputError(f"{name} is not a byte-level BPE with all 256 bytes: take --tokenizer bpe")
        changes = [
            key for key in ("dropout", "unk_token", "continuing_subword_prefix") if content["model"].get(key)
        ]
        if content.get("normalizer") or changes:
            raise InputError(
                f"{name} changes or drops parts of a text ({changes or 'normalizer'}): take --tokenizer bpe"
            )
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise damaged from error


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
    if not LEAST_VOCABULARY <= vocab_size <= MOST_VOCABULARY:
        raise InputError(
            f"A byte-level vocabulary has {LEAST_VOCABULARY} tokens (256 bytes and {len(SPECIAL)} reserved) "
            f"to {MOST_VOCABULARY:,}, not {vocab_size:,}"
        )
    if progress:
        progress(f"learning a vocabulary of {vocab_size:,} tokens")
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
    if n_characters is None:
        texts = list(texts)
        n_characters = sum(map(len, texts))
    engine.train_from_iterator(_training_pieces(texts, n_characters), trainer)
    special = {token: id for id, token in enumerate(SPECIAL)}
    return BPETokenizer(engine, special, engine.to_str(pretty=True))


def cut_at_seams(text: str) -> Iterator[str]:
    """`text` in pieces of about 16 thousand characters that encode, one by one, to what the whole would.

    Where no seam comes for a million characters, one is cut in any case: the library needs 50 bytes for each.
    """
    return cut_stream([text])


def cut_stream(chunks: Iterable[str]) -> Iterator[str]:
    """The same of one text that arrives in chunks; the pieces do not hang on how it is cut into chunks."""
    text = ""
    for chunk in chunks:
        text += chunk
        start = 0
        while len(text) - start > PIECE:
            seam = SEAM.search(text, start + PIECE, start + PIECE + LONGEST)
            if seam is None and len(text) - start <= PIECE + LONGEST:
                break
            end = seam.end() if seam else start + PIECE + LONGEST
            yield text[start:end]
            start = end
        text = text[start:]
    yield text


def _pieces_of_documents(texts: Iterable[str]) -> Iterator[Piece]:
    for text in texts:
        *pieces, last = cut_at_seams(_clean(text))
        yield from ((piece, False) for piece in pieces)
        yield last, True


def _training_pieces(texts: Iterable[str], n_characters: int) -> Iterator[str]:
    """All of a text, or pieces from all over it that make up about as much as is learned from."""
    every = -(-n_characters // MOST_TRAINING)
    pieces = (piece for text in texts for piece in cut_at_seams(_clean(text)))
    for piece in itertools.islice(pieces, 0, None, max(1, every)):
        start = 0
        for run in LONG_RUN.finditer(piece):
            yield piece[start : run.end()]
            start = run.end()
        yield piece[start:]


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Lists of about 2 million characters, so that memory stays bounded."""
    batch, size = list[Piece](), 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece[0]) + 1
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _clean(text: str) -> str:
    """`text` with U+FFFD for lone surrogates, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte: itself where it can be shown, else U+0100 and on."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + n): byte for n, byte in enumerate(hidden)}


BYTE_OF = _byte_alphabet()
PROBES = (
    " two  spaces\n\n\tand 'quotes' don't, 1234567, aAbB",
    "caf\u00e9 cafe\u0301 \u6f22\u5b57 \U0001f469\u200d\U0001f680 \u05e9\u05dc\u05d5\u05dd\u2028\u00a0\u3000",
    "".join(map(chr, range(0x180))),
    *(f"a {token} b" for token in RESERVED),
)
