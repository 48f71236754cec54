"""What reading gives: documents, and the corpus that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

Progress = Callable[[str], None]
"""Takes one short line a person may want to see while waiting."""


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
    unreadable: tuple[tuple[str, str], ...] = ()
    n_files: int = 0

    @cached_property
    def n_characters(self) -> int:
        """Unicode code points, the sum over the documents."""
        return sum(len(document.text) for document in self.documents)

    @cached_property
    def n_bytes(self) -> int:
        """Bytes of the documents in UTF-8; what bits per byte divides by."""
        return sum(count_bytes(document.text) for document in self.documents)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the texts and the boundaries between them (not of their names)."""
        return fingerprint(document.text for document in self.documents)


def count_bytes(text: str) -> int:
    """The length of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def fingerprint(texts: Iterable[str]) -> str:
    """SHA-256 of `texts`; each is preceded by its length, so that moving a boundary changes the result."""
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "replace")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()
