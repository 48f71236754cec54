"""What reading gives: documents, and the corpus that holds them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from pellucid.text.html import table

Progress = Callable[[str], None]
"""Takes one short line a person may want to see while waiting."""

# on a line of its own, as in TinyStories
SEPARATOR = re.compile(r"^[ \t]*<\|endoftext\|>[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One text with a beginning and an end; training puts an end-of-text token after it."""

    text: str
    name: str  # where it came from: a file name, the title of a play


@dataclass(frozen=True)
class Corpus:
    """Documents that are read, split and trained on together."""

    name: str  # a slug: can be the name of a folder on every system
    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()  # what the reader should be told: encodings guessed, files skipped and why
    unreadable: tuple[tuple[str, str], ...] = ()  # files that could not be read: name, and why as a sentence
    n_files: int = 0  # files, pages and members of archives that the documents came from

    @cached_property
    def n_characters(self) -> int:
        """Unicode code points, the sum over the documents."""
        return sum(len(document.text) for document in self.documents)

    @cached_property
    def n_bytes(self) -> int:
        """Bytes of the documents in UTF-8; what bits per byte divides by."""
        return sum(count_bytes(document.text) for document in self.documents)

    def _sizes(self) -> dict[str, str]:
        return {
            "documents": f"{len(self.documents):,}",
            "characters": f"{self.n_characters:,}",
            "bytes": f"{self.n_bytes:,}",
        }

    def __repr__(self) -> str:  # without the text: it may be a library
        return (
            f"<corpus {self.name}: {'; '.join(f'{name} {value}' for name, value in self._sizes().items())}>"
        )

    def _repr_html_(self) -> str:
        rows = self._sizes()
        rows |= {f"note {number}": note for number, note in enumerate(self.notes, 1)}
        return table(self.name, rows | {f"not read: {name}": why for name, why in self.unreadable})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the texts and the boundaries between them (not of their names)."""
        return fingerprint(document.text for document in self.documents)


def split_documents(text: str, name: str) -> list[Document]:
    """The documents that lines of `<|endoftext|>` divide `text` into, numbered; without such lines, one."""
    pieces = SEPARATOR.split(text)
    if len(pieces) == 1:
        return [Document(text, name)]
    if not pieces[-1].strip():
        pieces.pop()  # the marker ends documents: nothing comes after the last
    texts = [piece.strip("\n") + "\n" for piece in pieces]
    return [Document(piece, f"{name} #{number}") for number, piece in enumerate(texts, 1)]


def count_bytes(text: str) -> int:
    """The length of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


class Fingerprint:
    """SHA-256 of texts; each is preceded by its length, so that moving a boundary changes the result."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def begin(self, n_bytes: int) -> None:
        """A text of so many bytes in UTF-8 follows."""
        self._digest.update(n_bytes.to_bytes(8, "little"))

    def add(self, data: bytes) -> None:
        """The next bytes of that text."""
        self._digest.update(data)

    def hexdigest(self) -> str:
        """Of what was added so far."""
        return self._digest.hexdigest()


def fingerprint(texts: Iterable[str]) -> str:
    """The Fingerprint of whole texts, in hexadecimal."""
    whole = Fingerprint()
    for text in texts:
        data = text.encode("utf-8", "replace")
        whole.begin(len(data))
        whole.add(data)
    return whole.hexdigest()
