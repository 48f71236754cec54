"""Tokenizers of published models: any byte-pair encoding of a tokenizer.json, over bytes or with byte fallback."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import tokenizers

from pellucid.errors import InputError
from pellucid.text.decoding import without_surrogates
from pellucid.text.tokenizers.byte_level import (
    BYTE_OF,
    PROBES,
    SEAM,
    EngineTokenizer,
    cut_at_seams,
    cut_stream,
)
from pellucid.text.tokenizers.patterns import cuts_at_blanks

BLANK = "\u2581"  # stands for a space in vocabularies of SentencePiece
BYTE_NAME = re.compile(r"<0x([0-9A-F]{2})>")
MOST_TOKENS = 1 << 20
# what changes texts, or their encoding
MERGED = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")


class ImportedTokenizer(EngineTokenizer):
    """The tokenizer a published model was trained with: the same ids for the same text.

    Its tokenizer.json is the model's own, with its post-processor saying how a document is framed: what stands
    before it, if anything, and the token that ends it. Text never encodes to a special token, even where the
    library would let it. Some vocabularies lack rare bytes and have no unknown token (SmolLM2's: a few control
    characters): those bytes are left out, as the original leaves them out.
    """

    kind = "imported"

    def __init__(
        self, engine: tokenizers.Tokenizer, special: dict[str, int], content: dict[str, Any], text: str
    ):
        super().__init__(engine, special, text)
        marks = frame(content)
        assert marks, "`check` has seen to that"
        before, end = marks
        self.beginning = tuple(special[token] for token in before)
        self._end = special[end]
        model = content["model"]
        self._over_bytes = _is_over_bytes(content)
        self._added = {token["id"]: token["content"] for token in content["added_tokens"]}
        self._unknown = (
            None if _writes_everything(model, self._over_bytes) else special.get(model.get("unk_token"))
        )
        self._strips = not self._over_bytes and _strips_a_blank(content["decoder"])
        self._in_pieces = cuts_at_blanks(content) and not any(map(_crosses_seams, content["added_tokens"]))
        self._is_special = np.zeros(self.vocab_size, dtype=bool)
        self._is_special[[id for id in special.values() if id != self._unknown]] = True

    @property
    def end_of_text(self) -> int:
        return self._end

    @property
    def pad(self) -> int:
        return self._end

    @property
    def unknown(self) -> int | None:
        return self._unknown

    # ------------------------------------------------------------------ encoding

    def encode_documents(self, texts: Iterable[str]) -> np.ndarray:
        if not self.beginning:
            return super().encode_documents(texts)
        parts = [[self.beginning, self.encode(text), [self.end_of_text]] for text in texts]
        return np.concatenate([np.empty(0, np.int32), *itertools.chain.from_iterable(parts)]).astype(np.int32)

    def pieces(self, chunks: Iterable[str]) -> Iterator[str]:
        if self._in_pieces:
            return cut_stream(map(without_surrogates, chunks))
        return iter([without_surrogates("".join(chunks))])

    def _cut(self, text: str) -> Iterator[str]:
        return cut_at_seams(text) if self._in_pieces else iter([text])

    def encode_pieces(self, pieces: Sequence[str]) -> list[np.ndarray]:
        encoded = super().encode_pieces(pieces)
        for place, ids in enumerate(encoded):
            if self._is_special[ids].any():
                encoded[place] = self._as_text(pieces[place])
        return encoded

    def _as_text(self, text: str) -> np.ndarray:
        """Ids of a text in which the library found special tokens: each is cut after its first character."""
        parts = [text]
        while True:
            encoded = [self._engine.encode(part, add_special_tokens=False) for part in parts]
            cut = [list(self._cut_special(*pair)) for pair in zip(parts, encoded, strict=True)]
            if sum(map(len, cut)) == len(parts):
                break
            parts = list(itertools.chain.from_iterable(cut))
        ids = np.array([id for each in encoded for id in each.ids], dtype=np.int32)
        return ids[~self._is_special[ids]]  # one that is a single character cannot be written

    def _cut_special(self, text: str, encoding: tokenizers.Encoding) -> Iterator[str]:
        start = 0
        for id, (first, last) in zip(encoding.ids, encoding.offsets, strict=True):
            if self._is_special[id] and last - first > 1:
                yield text[start : first + 1]
                start = first + 1
        yield text[start:]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The characters of `text`, from and to, that each token has a part in: a normalizer may change its bytes."""
        found, start = list[tuple[int, int]](), 0
        for piece in self._cut(without_surrogates(text)):
            offsets = self._engine.encode(piece, add_special_tokens=False).offsets
            found += [(start + first, start + last) for first, last in offsets]
            start += len(piece)
        return found

    def count_unknown(self, text: str) -> int:
        return sum(map(text.count, self.unknown_characters(text)))

    def unknown_characters(self, text: str) -> str:
        if self.unknown is None:
            return ""
        different = dict.fromkeys(text)  # one token may stand for several of them in a row
        return "".join(character for character in different if self.unknown in self.encode(character))

    # ------------------------------------------------------------------ decoding

    def decode(self, ids: Sequence[int] | np.ndarray, keep_special: bool = False) -> str:
        text = super().decode(ids, keep_special)
        return text.removeprefix(" ") if self._strips else text

    @cached_property
    def _bytes(self) -> list[bytes]:
        return [self._bytes_of(id) for id in range(self.vocab_size)]

    def _bytes_of(self, id: int) -> bytes:
        if self._is_special[id]:
            return b""
        if id == self._unknown:
            return "\ufffd".encode()
        name = self._engine.id_to_token(id) or ""
        if id in self._added:
            return name.encode()
        if not self._over_bytes:
            byte = BYTE_NAME.fullmatch(name)
            return bytes([int(byte[1], 16)]) if byte else name.replace(BLANK, " ").encode()
        known = BYTE_OF.keys() >= set(name)
        return bytes(map(BYTE_OF.__getitem__, name)) if known else name.encode()

    # ------------------------------------------------------------------ tokenizer.json

    @classmethod
    def from_json(cls, content: dict[str, Any], text: str, name: str) -> Self:
        """The tokenizer of a parsed tokenizer.json that says how a document is framed, as `as_imported` makes it.

        Raises:
            InputError: it is damaged, or not of a kind that is taken over.
        """
        try:
            special = check(content, name)
            engine = tokenizers.Tokenizer.from_str(text)
        except (InputError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the library raises bare Exception, and panics are not even that
            raise InputError(f"{name} is damaged ({str(error)[:100]}): take one from another model") from None
        wrong = [token for token, id in special.items() if engine.token_to_id(token) != id]
        tokenizer = cls(engine, special, content, text)
        if wrong or tokenizer.vocab_size != len(_ids(content)):
            raise InputError(f"{name} is damaged: the ids of its vocabulary are not the numbers from 0 on")
        for probe in PROBES:
            ids = tokenizer.encode(probe)
            ids = ids[ids != tokenizer.unknown] if tokenizer.unknown is not None else ids
            if tokenizer.decode(ids) != engine.decode(ids.tolist()):
                raise InputError(
                    f"{name} decodes in a way that is not known here (see {probe[:12]!r}): its model cannot be used"
                )
        return tokenizer


def as_imported(
    content: dict[str, Any], n_rows: int, end: str, begin: str | None, special: Iterable[str], name: str
) -> dict[str, Any]:
    """A published tokenizer.json as runs keep it.

    Args:
        content: the file's; left as it is.
        n_rows: of the model's embedding. Ids without a token get one that no text encodes to.
        end, begin: the tokens that end a document and, if there is one, begin it.
        special: names that are special whatever the file says, such as the marks of the chat template.

    Raises:
        InputError: it has more tokens than the model, or is not of a kind that is taken over.
    """
    vocabulary, added = _vocabulary(content, name), [dict(token) for token in content["added_tokens"]]
    everything = {**vocabulary, **{token["content"]: token["id"] for token in added}}
    if max(everything.values(), default=0) >= n_rows:
        raise InputError(
            f"{name} has ids up to {max(everything.values()):,} and the model {n_rows:,} rows for tokens: "
            "they are not of one model"
        )
    if n_rows > MOST_TOKENS:  # each row without a token would get one
        raise InputError(
            f"{name} is of a model with {n_rows:,} rows for tokens: more than {MOST_TOKENS:,} are not read"
        )
    ids = set(everything.values())
    unused = {f"<|unused-{id}|>": id for id in range(n_rows) if id not in ids}
    everything |= unused
    listed = {token["content"]: token for token in added}
    for token in [*dict.fromkeys(special), *([begin] if begin else []), end, *unused]:
        if token not in everything:
            continue
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        listed[token] = {
            "id": everything[token],
            "content": token,
            **plain,
            **listed.get(token, {}),
            "special": True,
        }
    return {
        **content,
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(listed.values(), key=lambda token: token["id"]),
        "post_processor": _framing(everything, begin, end, name),
        "model": {**content["model"], "vocab": dict(sorted(everything.items(), key=lambda pair: pair[1]))},
    }


def _framing(ids: dict[str, int], begin: str | None, end: str, name: str) -> dict[str, Any]:
    marks = [mark for mark in (begin, end) if mark]
    if missing := [mark for mark in marks if mark not in ids]:
        raise InputError(
            f"{name} has no token {missing[0]}, which the model's files name: they are not of one model"
        )
    text = {"Sequence": {"id": "A", "type_id": 0}}
    before = [{"SpecialToken": {"id": begin, "type_id": 0}}] if begin else []
    whole = [*before, text, {"SpecialToken": {"id": end, "type_id": 0}}]
    pair = [*whole, {"Sequence": {"id": "B", "type_id": 1}}]
    tokens = {mark: {"id": mark, "ids": [ids[mark]], "tokens": [mark]} for mark in marks}
    return {"type": "TemplateProcessing", "single": whole, "pair": pair, "special_tokens": tokens}


def frame(content: Any) -> tuple[tuple[str, ...], str] | None:
    """The special tokens before a document and the one after it, of a tokenizer.json that says so; else None."""
    try:
        processor = content["post_processor"]
        if processor["type"] != "TemplateProcessing":
            return None
        parts = [part.get("SpecialToken", {}).get("id") for part in processor["single"]]
        place = parts.index(None)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    before, after = tuple(parts[:place]), tuple(parts[place + 1 :])
    return (before, after[0]) if len(after) == 1 and after[0] is not None else None


# ---------------------------------------------------------------------- what is taken over


def check(content: dict[str, Any], name: str) -> dict[str, int]:
    """The special tokens of a tokenizer.json.

    Raises:
        InputError: it is not of a kind that is taken over, or damaged.
    """
    vocabulary = _vocabulary(content, name)
    special = {token["content"]: token["id"] for token in content["added_tokens"] if token["special"] is True}
    ids = _ids(content)
    marks = frame(content)
    if sorted(ids) != list(range(len(ids))) or len(set(vocabulary.values())) != len(vocabulary):
        raise InputError(f"{name} is damaged: the ids of its vocabulary are not the numbers from 0 on")
    if marks is None or any(token not in special for token in (*marks[0], marks[1])):
        raise InputError(f"{name} is damaged: it does not say which special token ends a document")
    return special


def _vocabulary(content: dict[str, Any], name: str) -> dict[str, int]:
    """Raises: InputError unless it is a byte-pair encoding whose tokens can be spelled in bytes."""
    try:
        model, added = content["model"], content["added_tokens"]
        kind, vocabulary = model.get("type", "BPE"), model["vocab"]
        changes = [key for key in MERGED if model.get(key)]
        decoders = _types(content["decoder"])
        sound = (kind != "BPE") or (
            isinstance(model["merges"], list)
            and all(type(id) is int and 0 <= id < MOST_TOKENS for id in vocabulary.values())
            and all(
                type(token["id"]) is int
                and 0 <= token["id"] < MOST_TOKENS
                and type(token["content"]) is str
                and token["content"]
                and type(token["special"]) is bool
                and vocabulary.get(token["content"], token["id"]) == token["id"]
                for token in added
            )
        )
    except (KeyError, TypeError, AttributeError):
        sound, kind, changes, decoders, vocabulary = False, "BPE", [], [], {}
    if not sound:
        raise InputError(f"{name} is damaged: its vocabulary or its parts are not what they should be")
    if kind != "BPE":
        raise InputError(
            f"{name} is a {kind} tokenizer: those that are taken over are byte-pair encodings (BPE), "
            "over bytes or with byte fallback"
        )
    if changes:
        raise InputError(f"{name} sets {changes[0]}, which is not known here: its model cannot be used")
    if not {"ByteLevel", "Metaspace", "Replace", "ByteFallback"} & set(decoders):
        raise InputError(
            f"{name} does not say how its tokens are spelled (its decoder is {', '.join(decoders) or 'none'}): "
            "its model cannot be used"
        )
    return vocabulary


def _ids(content: dict[str, Any]) -> set[int]:
    return {*content["model"]["vocab"].values(), *(token["id"] for token in content["added_tokens"])}


def _types(decoder: Any) -> list[str]:
    if decoder is None:
        return []
    types = [decoder["type"], *(part["type"] for part in decoder.get("decoders", []))]
    if not all(type(each) is str for each in types):
        raise TypeError("the type of a decoder is a text")
    return types


def _is_over_bytes(content: dict[str, Any]) -> bool:
    return "ByteLevel" in _types(content["decoder"])


def _writes_everything(model: dict[str, Any], over_bytes: bool) -> bool:
    """Whether the vocabulary has all 256 bytes, so that no text is unknown to it."""
    vocabulary = model["vocab"]
    if over_bytes:
        return all(character in vocabulary for character in BYTE_OF)
    return model.get("byte_fallback") is True and all(f"<0x{byte:02X}>" in vocabulary for byte in range(256))


def _strips_a_blank(decoder: dict[str, Any]) -> bool:
    """Whether the blank that encoding puts before a text is taken away again."""
    parts = decoder.get("decoders", [decoder])
    return any(
        (part["type"] == "Strip" and part.get("content") == " " and part.get("start") == 1)
        or (part["type"] == "Metaspace" and part.get("prepend_scheme", "always") != "never")
        for part in parts
    )


def _crosses_seams(token: dict[str, Any]) -> bool:
    """Whether an added token is found otherwise where a text is cut at a seam."""
    if token["special"]:
        return False
    looks_around = any(token.get(flag) for flag in ("single_word", "lstrip", "rstrip"))
    return looks_around or SEAM.search(token["content"]) is not None
