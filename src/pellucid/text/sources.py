"""What a person names (a corpus, an address, a file, a folder, a pattern) becomes a corpus of documents."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from pellucid.errors import InputError
from pellucid.text.corpora.registry import names_of_corpora
from pellucid.text.documents import Corpus, Document, Progress
from pellucid.text.listing import Item, Listing, by_group
from pellucid.text.readers import Extract
from pellucid.text.wording import plural

WINDOWS_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MOST_NAMED = 5  # files that could not be read, and kinds of files, that the notes spell out


def read(sources: str | Path | Sequence[str | Path], *, progress: Progress | None = None) -> Corpus:
    """The corpus that `sources` name, one or several of:

    - a named corpus, such as `shakespeare` or `gutenberg:84` (a file of that name: write `./shakespeare`);
    - an http(s) address of a text in any format below, or of a post or a blog (its posts are read, politely);
      what is fetched is kept in the cache;
    - a file: plain text of any suffix, in UTF-8, UTF-16 with a byte order mark, or Windows-1252; Markdown;
      HTML, EPUB, .docx, PDF; .json, .jsonl and .parquet with a text an entry; a .zip of such, or a .gz of one;
    - a folder: its files of those formats at any depth, hidden ones left out; also an Obsidian vault, or what
      Substack exports;
    - a pattern such as `books/*.txt` or `books/**/*.md`, expanded here since Windows shells do not.

    A file is one document, or one for each story where lines of `<|endoftext|>` stand between them; a file
    named twice is read once. Project Gutenberg's header and licence are left out. In folders and patterns,
    what cannot be read is skipped, with a note.

    Raises:
        InputError: a source is missing, empty, not text, too large, or of a format that is not read.
    """
    reading = stream(sources, progress=progress)
    documents = tuple(reading)
    return Corpus(
        reading.name, documents, reading.notes, tuple(reading.summary.unreadable), reading.summary.n_files
    )


def stream(
    sources: str | Path | Sequence[str | Path], *, progress: Progress | None = None, in_pieces: bool = False
) -> DocumentStream:
    """The documents that `read` would give, one after the other, for corpora that memory does not hold.

    One file is in memory at a time. What there is to say is in the result once all documents were taken.

    Args:
        in_pieces: large files of plain text are not read here but in pieces, by who goes through the `items`.

    Raises:
        InputError: as `read`; some documents may have been given before.
    """
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    if not sources:
        raise InputError(
            f"Nothing to read: give a text file, a folder, a web address, or one of {names_of_corpora()}"
        )
    return DocumentStream(sources, progress, in_pieces)


def refuse_missing(sources: str | Path | Sequence[str | Path]) -> None:
    """Refuse what is not there, before anything is read or fetched.

    Raises:
        InputError: as `read`, for a file, folder or pattern that names nothing, or a wrong name of a corpus.
    """
    listing = Listing([], None, False)
    for source in [sources] if isinstance(sources, str | Path) else sources:
        listing.items(source)


class DocumentStream:
    """An iterator of documents, which gathers what there is to say about them."""

    def __init__(self, sources: Sequence[str | Path], progress: Progress | None, in_pieces: bool) -> None:
        self.summary = Extract()  # all but the documents
        self._listing = Listing(self.summary.notes, progress, in_pieces)
        self.items = itertools.chain.from_iterable(map(self._listing.items, sources))
        self._documents = itertools.chain.from_iterable(map(self.take, by_group(self.items)))

    def __iter__(self) -> Iterator[Document]:
        """The documents not taken yet."""
        return self._documents

    @property
    def name(self) -> str:
        """What to name the corpus after: a slug, which can be the name of a folder on every system."""
        names = self._listing.names
        return slug(names[0]) + (f"-plus-{len(names) - 1}" if len(names) > 1 else "")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should be told, in whole sentences."""
        notes = list(dict.fromkeys(self.summary.notes))
        for where, kinds in self.summary.left_alone.items():
            shown = ", ".join(sorted(set(kinds))[:MOST_NAMED])
            notes.append(f"{where}: {plural(len(kinds), 'file')} of other kinds left alone ({shown})")
        unreadable = self.summary.unreadable
        notes += [f"skipped: {reason}" for _, reason in unreadable[:MOST_NAMED]]
        if len(unreadable) > MOST_NAMED:
            notes.append(f"skipped: {plural(len(unreadable) - MOST_NAMED, 'more file')}")
        for what, files in self.summary.file_notes.items():
            notes.append(f"{files[0] if len(files) == 1 else plural(len(files), 'file')}: {what}")
        if self.summary.n_empty:
            notes.append(f"left out {plural(self.summary.n_empty, 'empty document')}")
        return tuple(notes)

    def take(self, item: Item) -> Iterator[Document]:
        """The documents of an item; raises InputError if it cannot be read and is no part of a group."""
        try:
            for found in item.read():
                documents, found.documents = found.documents, []
                self.summary.add(found)
                if item.group:
                    item.group.has_text |= bool(documents)
                    item.group.reasons += [reason for _, reason in found.unreadable]
                yield from documents
        except InputError as error:
            self.leave_out(item, error)

    def leave_out(self, item: Item, error: InputError) -> None:
        """Notes down that an item of a group cannot be read; raises `error` if it is of none."""
        if item.group is None:
            raise error
        item.group.reasons.append(str(error))
        self.summary.unreadable.append((item.name, str(error)))


def slug(name: str) -> str:
    """A folder name that every system takes: up to 60 letters, digits, `-`, `_`, `.`; not Windows' own."""
    text = unicodedata.normalize("NFC", name).lower()
    text = re.sub(r"[^\w.-]+", "-", text)[:60].strip("-._") or "text"
    return f"{text}-text" if WINDOWS_RESERVED.fullmatch(text) else text
