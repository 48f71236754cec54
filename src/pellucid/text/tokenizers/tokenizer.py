"""Text becomes numbers: what every tokenizer can do, and how one is chosen, built, saved and loaded."""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pellucid.errors import InputError
from pellucid.text.documents import Progress

END_OF_TEXT, PAD, UNKNOWN = "<|endoftext|>", "<|pad|>", "<|unk|>"
CHAT_MARKERS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
RESERVED = (END_OF_TEXT, PAD, UNKNOWN, *CHAT_MARKERS)

KINDS = {"char": "characters", "bpe": "byte-level BPE", "wordpiece": "byte-level WordPiece"}
ABOUT = {**KINDS, "imported": "byte-pair encoding made elsewhere"}  # not made here, only taken over
FILE_NAME = "tokenizer.json"
MOST_FILE_BYTES = 64 << 20  # the largest published tokenizer.json, with 262,000 entries, has 33 MB

MOST_CHARACTERS = 2_000_000  # with more, pieces of words have enough examples to be learned from
MOST_ALPHABET = 256
WIDE = 0x2E80  # from here on: CJK, kana, Hangul and emoji, of which each character is nearly a word
MOST_WIDE = 0.01


class Tokenizer(ABC):
    """A vocabulary of byte strings, numbered from 0, and the way text is cut into them.

    Reserved tokens stand for no text: no text ever encodes to one, and they decode to nothing.
    """

    kind: ClassVar[str]
    vocab_size: int  # symbols and reserved tokens
    n_reserved: int
    beginning: tuple[int, ...] = ()  # what stands before every document, for models that were trained so
    _special: dict[str, int]  # the reserved tokens' ids

    @property
    def n_symbols(self) -> int:
        return self.vocab_size - self.n_reserved

    @property
    def end_of_text(self) -> int:
        """Follows every document in training, and ends generation."""
        return self._special[END_OF_TEXT]

    @property
    def pad(self) -> int:
        return self._special[PAD]

    @property
    def unknown(self) -> int | None:
        """What a character outside the vocabulary becomes; None where every text can be written."""
        return self._special.get(UNKNOWN)

    def special_id(self, name: str) -> int:
        """The id of a reserved token such as `<|user|>`."""
        if name not in self._special:
            raise InputError(
                f"This tokenizer has no {name}: its reserved tokens are {', '.join(self._special)}"
            )
        return self._special[name]

    @abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """(T,) int32; no reserved token but the unknown one."""

    @abstractmethod
    def encode_documents(self, texts: Iterable[str]) -> np.ndarray:
        """(T,) int32: all the texts, each followed by the end-of-text token."""

    def pieces(self, chunks: Iterable[str]) -> Iterator[str]:
        """One text that arrives in chunks, in pieces that encode, one by one, to what the whole would."""
        yield "".join(chunks)

    def encode_pieces(self, pieces: Sequence[str]) -> list[np.ndarray]:
        """What `encode` gives for each of the pieces, on all cores where that is possible."""
        return [self.encode(piece) for piece in pieces]

    @abstractmethod
    def to_json(self) -> str:
        """The Hugging Face `tokenizer.json` that stands for this tokenizer."""

    @cached_property
    @abstractmethod
    def _bytes(self) -> list[bytes]:
        """What each id stands for, in UTF-8."""

    def decode(self, ids: Sequence[int] | np.ndarray, keep_special: bool = False) -> str:
        """The text of `ids`: `b"".join(token_bytes(i) for i in ids).decode("utf-8", "replace")`.

        Args:
            keep_special: show reserved tokens by their names instead of leaving them out.

        Raises:
            InputError: an id is outside the vocabulary.
        """
        array = np.asarray(ids)
        if array.size and (array.dtype.kind not in "iu" or array.ndim != 1):
            raise InputError(f"Tokens are a list of whole numbers, not {array.dtype} of shape {array.shape}")
        if array.size:
            self._check(int(array.min()), int(array.max()))
        pieces = self._shown if keep_special else self._bytes
        return b"".join([pieces[i] for i in array.tolist()]).decode("utf-8", "replace")

    def token_bytes(self, id: int) -> bytes:
        """What one token stands for, maybe a part of a character; nothing if reserved, U+FFFD if unknown."""
        self._check(id)
        return self._bytes[id]

    def token_text(self, id: int) -> str:
        """One token for showing: its text, a reserved token's name, `\\xe2\\x80` for part of a character."""
        self._check(id)
        return self._shown[id].decode("utf-8", "backslashreplace")

    def count_unknown(self, text: str) -> int:
        """How many of the characters of `text` the vocabulary lacks."""
        return 0 if self.unknown is None else int((self.encode(text) == self.unknown).sum())

    def unknown_characters(self, text: str) -> str:
        """Those characters of `text` that the vocabulary lacks, each once, in the order of the text."""
        if self.unknown is None:
            return ""
        different = "".join(dict.fromkeys(text))  # a tokenizer that has an unknown token has one a character
        return "".join(
            c for c, id in zip(different, self.encode(different), strict=True) if id == self.unknown
        )

    def save(self, path: str | Path) -> None:
        """Writes `path`, or `tokenizer.json` in it if it is a folder."""
        path = Path(path)
        path = path / FILE_NAME if path.is_dir() else path
        path.write_bytes(self.to_json().encode())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of what `save` writes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @cached_property
    def _shown(self) -> list[bytes]:
        names = {id: name.encode() for name, id in self._special.items()}
        return [names.get(id, piece) for id, piece in enumerate(self._bytes)]

    def _check(self, *ids: int) -> None:
        for id in ids:
            if not 0 <= id < self.vocab_size:
                raise InputError(f"There is no token {id}: this vocabulary has 0 to {self.vocab_size - 1}")


# ---------------------------------------------------------------------- choosing and building


def choose_kind(texts: Iterable[str]) -> tuple[str, str]:
    """`char` or `bpe`, and why, in half a sentence.

    Characters for up to 2 million characters of small-alphabet text: fewer, more frequent symbols are learned
    faster from little text. Pieces of words beyond, and where one character in a hundred is CJK or an emoji.
    """
    total, wide, alphabet = 0, 0, set[str]()
    for text in texts:
        total += len(text)
        if total > MOST_CHARACTERS:
            return "bpe", f"the text has more than {MOST_CHARACTERS / 1e6:.0f} million characters"
        alphabet.update(text)
        if not text.isascii():
            wide += int((code_points(text) >= WIDE).sum())
    if wide > MOST_WIDE * total:
        return "bpe", f"{wide / total:.0%} of the text is in large scripts or emoji"
    if len(alphabet) > MOST_ALPHABET:
        return "bpe", f"the text has {len(alphabet):,} different characters"
    return "char", f"{total:,} characters of text with {len(alphabet)} different ones"


def default_vocab_size(n_characters: int) -> int:
    """The power of two nearest to the square root of the text's length, from 1,024 to 8,192.

    The number of different words grows about so (Heaps' law), and each token keeps enough examples: 1,024 for
    a book or two, 2,048 for Shakespeare's plays, 8,192 from 34 million characters.
    """
    return min(max(1 << round(math.log2(max(1, n_characters)) / 2), 1024), 8192)


def check_tokenizer(spec: str | Path, vocab_size: int | None = None) -> Tokenizer | None:
    """Refuse what `build_tokenizer` would make of no text; returns the tokenizer that a path names.

    Raises:
        InputError: no such file, or a size that does not fit.
    """
    spec = str(spec)
    if spec not in ("auto", *KINDS):
        tokenizer = load_tokenizer(spec)
        if tokenizer.kind == "imported":
            from pellucid.text.tokenizers.foreign import refuse_changes

            refuse_changes(tokenizer, spec)
        if vocab_size not in (None, tokenizer.vocab_size):
            raise InputError(
                f"{spec} has {tokenizer.vocab_size:,} tokens, not {vocab_size}: leave out --vocab-size"
            )
        return tokenizer
    if vocab_size is None:
        return None
    if spec == "char":
        raise InputError(
            "A character vocabulary is the text's own alphabet: leave out --vocab-size, or take bpe"
        )
    from pellucid.text.tokenizers.byte_level import BYTE_OF, check_size
    from pellucid.text.tokenizers.wordpiece import BYTES

    check_size(vocab_size, len(BYTES) if spec == "wordpiece" else len(BYTE_OF))
    return None


def build_tokenizer(
    spec: str | Path,
    texts: Iterable[str],
    vocab_size: int | None = None,
    *,
    n_characters: int | None = None,
    progress: Progress | None = None,
    keep: bool = True,
) -> tuple[Tokenizer, str]:
    """The tokenizer `spec` asks for, and one line that says what it is and why.

    Args:
        spec: `auto`, `char`, `bpe`, `wordpiece`, or the path of a tokenizer.json or of a run folder.
        texts: what the model is trained on (the vocabulary must not see validation); iterated several times.
        vocab_size: for `bpe` and `wordpiece`, reserved tokens included; `auto` takes `bpe` if it is given.
        n_characters: of all texts, where they stream by and have been counted; the cache is then left alone.
        keep: put a learned tokenizer into the cache, for the next time.

    Raises:
        InputError: no such file, a size that does not fit, or no text.
    """
    spec = str(spec)
    if tokenizer := check_tokenizer(spec, vocab_size):
        return tokenizer, f"{_describe(tokenizer)}, from {spec}"
    if not any(texts):
        raise InputError("There is no text to make a vocabulary from: give a text that is not empty")
    reason = "as asked"
    if spec == "auto":
        spec, reason = ("bpe", "as --vocab-size asks") if vocab_size else choose_kind(texts)
    if spec == "char":
        from pellucid.text.tokenizers.char import CharTokenizer

        tokenizer = CharTokenizer.from_texts(texts)
        return tokenizer, f"{_describe(tokenizer)}: {reason}"
    counted = sum(map(len, texts)) if n_characters is None else n_characters
    asked = default_vocab_size(counted) if vocab_size is None else vocab_size
    if n_characters is None:
        tokenizer = _learned(spec, texts, asked, progress, keep)
    else:
        tokenizer = _train(spec)(texts, asked, n_characters=n_characters, progress=progress)
    short = (
        ""
        if tokenizer.vocab_size == asked
        else f" (the text has no more to give than that; {asked:,} were asked)"
    )
    return tokenizer, f"{_describe(tokenizer)}{short}: {reason}"


def _train(kind: str) -> Callable[..., Tokenizer]:
    from pellucid.text.tokenizers.bpe import train_bpe
    from pellucid.text.tokenizers.wordpiece import train_wordpiece

    return {"bpe": train_bpe, "wordpiece": train_wordpiece}[kind]


def _learned(
    kind: str, texts: Iterable[str], vocab_size: int, progress: Progress | None, keep: bool
) -> Tokenizer:
    """The tokenizer of `texts`, from the cache if they were learned from before."""
    from pellucid.text.tokenizers import cache as tokenizer_cache

    train = _train(kind)
    if not tokenizer_cache.enabled():
        return train(texts, vocab_size, progress=progress)
    key = tokenizer_cache.key(texts, kind, vocab_size)
    if tokenizer := tokenizer_cache.load(key, kind):
        if progress:
            progress(f"a vocabulary of {tokenizer.vocab_size:,} tokens was learned from this text before")
        return tokenizer
    tokenizer = train(texts, vocab_size, progress=progress)
    if keep:
        try:
            tokenizer_cache.keep(key, tokenizer)
        except InputError as error:  # a slower next time is no reason to stop
            if progress:
                progress(str(error))
    return tokenizer


def _describe(tokenizer: Tokenizer) -> str:
    return (
        f"{ABOUT[tokenizer.kind]}, {tokenizer.n_symbols:,} symbols and {tokenizer.n_reserved} reserved tokens"
    )


# ---------------------------------------------------------------------- loading


def load_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer in a tokenizer.json, or in a folder that holds one, such as a run.

    Read are those saved here, and byte-pair encodings of others, over bytes or with byte fallback.

    Raises:
        InputError: no such file, too large, damaged, or of a kind that is not read.
    """
    file = path = Path(path)
    try:
        path = path.expanduser()
        file = path / FILE_NAME if path.is_dir() else path
        if not file.is_file():
            raise InputError(
                f"{file} is no tokenizer: give auto, {', '.join(KINDS)}, or the path of a tokenizer.json or of a run"
            )
        if file.stat().st_size > MOST_FILE_BYTES:
            raise InputError(f"{file} is larger than {MOST_FILE_BYTES >> 20} MiB, so it is no tokenizer.json")
        data = file.read_bytes()
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the home of a ~user who is unknown
        raise InputError(f"{file} cannot be read ({error}): check the path and its permissions") from error
    return parse_tokenizer(data, str(file))


def parse_tokenizer(data: bytes, name: str) -> Tokenizer:
    """The tokenizer in the bytes of a tokenizer.json; errors call it `name`."""
    try:
        text = data.decode("utf-8")
        content = json.loads(text)
        kind = content["model"].get("type", "BPE")  # BPE files of before 2020 do not say
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{name} is no tokenizer.json, or is damaged ({type(error).__name__}): take one from another run"
        ) from error
    from pellucid.text.tokenizers.foreign import is_foreign, take_over
    from pellucid.text.tokenizers.imported import ImportedTokenizer, frame

    if kind == "BPE" and frame(content):  # ours end documents themselves, and have no such post-processor
        return ImportedTokenizer.from_json(content, text, name)
    if is_foreign(content):
        return take_over(content, kind, name)
    if kind == "WordLevel":
        from pellucid.text.tokenizers.char import CharTokenizer

        return CharTokenizer.from_json(content, text, name)
    if kind == "BPE":
        from pellucid.text.tokenizers.bpe import BPETokenizer

        return BPETokenizer.from_json(content, text, name)
    if kind == "WordPiece":
        from pellucid.text.tokenizers.wordpiece import WordPieceTokenizer

        return WordPieceTokenizer.from_json(content, text, name)
    raise InputError(f"{name} holds a {kind} tokenizer: those that are read are {', '.join(KINDS.values())}")


def reserved_ids(content: Any, name: str, wanted: Sequence[str]) -> dict[str, int]:
    """The ids of all special tokens listed in a tokenizer.json, in the order of RESERVED, then of the file.

    Raises:
        InputError: one of `wanted` is missing, or an added token could be part of a text.
    """
    try:
        listed = {str(token["content"]): token["id"] for token in content["added_tokens"]}
        plain = [str(token["content"]) for token in content["added_tokens"] if token["special"] is not True]
        valid = len(set(listed.values())) == len(content["added_tokens"])
        valid = valid and all(type(id) is int and id >= 0 for id in listed.values())
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{name} is damaged: its reserved tokens are not listed as they should be"
        ) from error
    if not valid or plain:
        raise InputError(
            f"{name} is not read: its added tokens must have different ids and be special ({plain[:3]})"
        )
    if missing := [token for token in wanted if token not in listed]:
        raise InputError(
            f"{name} lacks the reserved tokens {', '.join(missing)}: take one made here, or --tokenizer bpe"
        )
    ordered = [token for token in RESERVED if token in listed]
    ordered += [token for token in listed if token not in RESERVED]
    return {token: listed[token] for token in ordered}


def code_points(text: str) -> np.ndarray:
    """(T,) uint32: the Unicode code points of `text`, lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
