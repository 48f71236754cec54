"""What byte-level tokenizers share: bytes as symbols, so that no text is unknown, and long texts cut into pieces."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import tokenizers

from pellucid.errors import InputError
from pellucid.text.decoding import without_surrogates
from pellucid.text.documents import Progress
from pellucid.text.tokenizers.tokenizer import RESERVED, UNKNOWN, Tokenizer, reserved_ids

SPECIAL = tuple(token for token in RESERVED if token != UNKNOWN)  # bytes are never unknown
MOST_VOCABULARY = 1 << 20
PIECE = 1 << 14  # characters: a long document is encoded in pieces of about this, on all cores
LONGEST = 1 << 20  # characters more that a piece without a seam has at most
BATCH = 2 << 20  # characters encoded at a time: the library needs about 50 bytes for each
PROGRESS_SECONDS = 2.0  # between two lines about learning

# A blank after a letter: the patterns of GPT-2, GPT-4, Llama 3 and Qwen all cut there, and none looks back.
SEAM = re.compile(r"[^\W\d_](?=[ \n])")

Piece = tuple[str, bool]  # a text, and whether its document ends there


class EngineTokenizer(Tokenizer):
    """A vocabulary of byte strings, encoded by the tokenizers library."""

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
        return self._encode((piece, False) for piece in self._cut(without_surrogates(text)))

    def encode_documents(self, texts: Iterable[str]) -> np.ndarray:
        return self._encode(self._pieces_of_documents(texts))

    def _pieces_of_documents(self, texts: Iterable[str]) -> Iterator[Piece]:
        for text in texts:
            *pieces, last = self._cut(without_surrogates(text))
            yield from ((piece, False) for piece in pieces)
            yield last, True

    def _cut(self, text: str) -> Iterator[str]:
        return cut_at_seams(text)

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
        return cut_stream(map(without_surrogates, chunks))

    def encode_pieces(self, pieces: Sequence[str]) -> list[np.ndarray]:
        encodings = self._engine.encode_batch_fast(pieces, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def to_json(self) -> str:
        return self._text


class ByteLevelTokenizer(EngineTokenizer):
    """One that can write any text."""

    @cached_property
    def _bytes(self) -> list[bytes]:
        reserved = set(self._special.values())
        tokens = (self._engine.id_to_token(id) or "" for id in range(self.vocab_size))
        return [
            b"" if id in reserved else bytes(map(BYTE_OF.__getitem__, self._stands_for(token)))
            for id, token in enumerate(tokens)
        ]

    @staticmethod
    def _stands_for(token: str) -> str:
        """The part of a token's name that is bytes, in their printable stand-ins."""
        return token

    # ------------------------------------------------------------------ tokenizer.json

    @classmethod
    def from_json(cls, content: dict[str, Any], text: str, name: str) -> Self:
        """The tokenizer of a parsed tokenizer.json, made here or elsewhere.

        Raises:
            InputError: damaged, without our reserved tokens, or unable to write some texts.
        """
        special = reserved_ids(content, name, SPECIAL)
        damaged = InputError(f"{name} is damaged: its vocabulary or its parts are not what they should be")
        try:
            n_tokens = _check_ids(content["model"]["vocab"], special, damaged)
            cls._check_content(content, special, name)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise damaged from error
        try:
            engine = tokenizers.Tokenizer.from_str(text)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the library raises bare Exception, and panics are not even that
            raise InputError(f"{name} is damaged ({str(error)[:100]}): take one from another run") from None
        cls._check_engine(engine, name)
        tokenizer = cls(engine, special, text)
        if tokenizer.vocab_size != n_tokens:
            raise InputError(f"{name} is damaged: the ids of its vocabulary are not the numbers from 0 on")
        for probe in PROBES:
            if tokenizer.decode(tokenizer.encode(probe)) != probe:
                raise InputError(
                    f"{name} is not byte-level: it does not give {probe!r} back. Take --tokenizer {cls.kind}"
                )
        return tokenizer

    @classmethod
    @abstractmethod
    def _check_content(cls, content: dict[str, Any], special: dict[str, int], name: str) -> None:
        """Raises InputError, or any error of looking into what is not there, unless every text can be written."""

    @classmethod
    def _check_engine(cls, engine: tokenizers.Tokenizer, name: str) -> None:
        """Raises InputError if the library read parts that this kind does not have."""


def _check_ids(vocabulary: Any, special: dict[str, int], damaged: InputError) -> int:
    """The number of tokens; raises `damaged` unless their ids are 0, 1, 2, …"""
    if not isinstance(vocabulary, dict):
        raise damaged
    everything = {**vocabulary, **special}
    if not all(type(id) is int for id in everything.values()):
        raise damaged
    if sorted(everything.values()) != list(range(len(everything))) or any(
        vocabulary.get(token, id) != id for token, id in special.items()
    ):
        raise damaged
    return len(everything)


# ---------------------------------------------------------------------- learning


def check_size(vocab_size: int, pieces: int) -> None:
    """Raises InputError for a vocabulary that cannot hold `pieces` and the reserved tokens, or is absurdly large."""
    least = pieces + len(SPECIAL)
    if not least <= vocab_size <= MOST_VOCABULARY:
        raise InputError(
            f"This kind of vocabulary has {least} tokens ({pieces} for the 256 bytes, {len(SPECIAL)} reserved) "
            f"to {MOST_VOCABULARY:,}, not {vocab_size:,}"
        )


def told(pieces: Iterable[str], total: int, progress: Progress | None) -> Iterator[str]:
    """`pieces`, while `progress` hears how many of about `total` characters were taken, every 2 s at most."""
    started = last = time.monotonic()
    n_read = 0
    for piece in pieces:
        yield piece
        n_read += len(piece)
        now = time.monotonic()
        if progress and n_read and now - last >= PROGRESS_SECONDS:
            last = now
            left = (now - started) * max(0, total - n_read) / n_read
            progress(f"read {n_read:,} of {max(n_read, total):,} characters, about {left:.0f} s left")
    if progress and time.monotonic() - started >= PROGRESS_SECONDS:
        progress(f"read all {n_read:,} characters; merging")


# ---------------------------------------------------------------------- pieces of long texts


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


# ---------------------------------------------------------------------- the byte alphabet


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte: itself where it can be shown, else U+0100 and on."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + n): byte for n, byte in enumerate(hidden)}


BYTE_OF = _byte_alphabet()
PROBES = (
    " two  spaces\n\n\tand 'quotes' don't, 1234567, aAbB",
    "# A heading\n\n### a##b ## ###c ####—",
    "caf\u00e9 cafe\u0301 \u6f22\u5b57 \U0001f469\u200d\U0001f680 \u05e9\u05dc\u05d5\u05dd\u2028\u00a0\u3000",
    "\U0001d518" * 200 + " " * 200 + "-" * 200,
    "".join(map(chr, range(0x180))),
    *(f"a {token} b" for token in RESERVED),
)
