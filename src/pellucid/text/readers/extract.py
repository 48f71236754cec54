"""What a reader gives: the documents in a file, and what a person should be told about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pellucid.errors import InputError
from pellucid.text.corpora.gutenberg import strip_gutenberg
from pellucid.text.documents import Document


class NotTextSource(InputError):
    """A file in good order that holds no text to train on: a folder leaves it alone, like a picture."""


@dataclass
class Extract:
    """What has been read from a file, a folder, an archive or a site; extracts add up."""

    documents: list[Document] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # whole sentences
    file_notes: dict[str, list[str]] = field(default_factory=dict)  # what there is to say, and of which files
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # a file's name, and why as a sentence
    left_alone: dict[str, list[str]] = field(default_factory=dict)  # of what, the kinds of files not read
    n_files: int = 0  # files that text came from
    n_empty: int = 0  # documents without text, which are left out

    def add(self, other: Extract) -> None:
        """Takes in what `other` holds."""
        self.documents += other.documents
        self.notes += other.notes
        for what, files in other.file_notes.items():
            self.file_notes.setdefault(what, []).extend(files)
        for where, kinds in other.left_alone.items():
            self.left_alone.setdefault(where, []).extend(kinds)
        self.unreadable += other.unreadable
        self.n_files += other.n_files
        self.n_empty += other.n_empty


def one_document(text: str, name: str, *notes: str | None) -> Extract:
    """`text` as a document, without Project Gutenberg's header and licence."""
    text, book_note = strip_gutenberg(text)
    said = [note for note in (*notes, book_note) if note]
    return Extract([Document(text, name)], file_notes={note: [name] for note in said})
