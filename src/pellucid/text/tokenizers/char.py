"""One token a character (a Unicode code point), looked up in a NumPy table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.tokenizers.tokenizer import (
    RESERVED,
    UNKNOWN,
    Tokenizer,
    code_points,
    reserved_ids,
)

PIECE = 1 << 16  # characters: a stream of text is encoded in pieces of at most this
SURROGATES = range(0xD800, 0xE000)  # halves of UTF-16 pairs: no characters, and not allowed in UTF-8


class CharTokenizer(Tokenizer):
    """The reserved tokens, then the alphabet in the order of its code points.

    A character outside the alphabet becomes the unknown token, which decodes to U+FFFD.
    """

    kind = "char"

    def __init__(self, alphabet: Iterable[str]) -> None:
        self.alphabet = "".join(sorted(c for c in set(alphabet) if ord(c) not in SURROGATES))
        self.n_reserved = len(RESERVED)
        self.vocab_size = self.n_reserved + len(self.alphabet)
        self._special = {token: id for id, token in enumerate(RESERVED)}
        points = code_points(self.alphabet)
        size = int(points[-1]) + 2 if len(points) else 1  # the last entry answers for all code points beyond
        self._table = np.full(size, self._special[UNKNOWN], dtype=np.int32)
        self._table[points] = np.arange(self.n_reserved, self.vocab_size, dtype=np.int32)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> CharTokenizer:
        """The tokenizer of all characters in `texts`."""
        alphabet = set[str]()
        for text in texts:
            alphabet.update(text)
        return cls(alphabet)

    def encode(self, text: str) -> np.ndarray:
        return self._table[np.minimum(code_points(text), len(self._table) - 1)]

    def encode_documents(self, texts: Iterable[str]) -> np.ndarray:
        end = np.array([self.end_of_text], dtype=np.int32)
        pieces = [piece for text in texts for piece in (self.encode(text), end)]
        return np.concatenate(pieces) if pieces else np.empty(0, np.int32)

    def pieces(self, chunks: Iterable[str]) -> Iterator[str]:
        for chunk in chunks:
            yield from (chunk[start : start + PIECE] for start in range(0, len(chunk), PIECE))

    @cached_property
    def _bytes(self) -> list[bytes]:
        reserved = ["\ufffd" if token == UNKNOWN else "" for token in RESERVED]
        return [symbol.encode() for symbol in [*reserved, *self.alphabet]]

    # ------------------------------------------------------------------ tokenizer.json

    def to_json(self) -> str:
        vocabulary = {token: id for id, token in enumerate([*RESERVED, *self.alphabet])}
        content = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": added_tokens(self._special),
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"String": ""},
                "behavior": "Isolated",
                "invert": False,
            },
            "post_processor": None,
            "decoder": {"type": "Fuse"},
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN},
        }
        return json.dumps(content, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, content: dict[str, Any], text: str, name: str) -> CharTokenizer:
        """The tokenizer of a parsed tokenizer.json; its order must be the one made here.

        Raises:
            InputError: it is damaged, or its words are longer than a character.
        """
        vocabulary = content["model"].get("vocab")
        if not isinstance(vocabulary, dict) or not vocabulary:
            raise InputError(f"{name} is damaged: it has no vocabulary")
        reserved_ids(content, name, RESERVED)
        tokenizer = cls(symbol for symbol in vocabulary if len(symbol) == 1)
        if json.loads(tokenizer.to_json()) != content:
            raise InputError(
                f"{name} is damaged, or holds words, not characters: take one that was saved here"
            )
        return tokenizer


def added_tokens(special: dict[str, int]) -> list[dict[str, Any]]:
    """Reserved tokens the way `tokenizer.json` lists them."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": id, "content": name, **flags} for name, id in special.items()]
