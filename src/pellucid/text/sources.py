"""What a person names (a corpus, an address, a file, a folder, a pattern) becomes a corpus of documents."""

from __future__ import annotations

import difflib
import glob
import itertools
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pellucid.errors import InputError
from pellucid.text.corpora.named import read_named
from pellucid.text.corpora.registry import CORPORA, is_named, names_of_corpora
from pellucid.text.documents import Corpus, Document, Progress
from pellucid.text.files import expand_home, file_mode, read_bytes, walk
from pellucid.text.readers import (
    MOST_BYTES,
    TEXT_SUFFIXES,
    Entry,
    Extract,
    extract,
    read_tree,
    refuse_other_formats,
)
from pellucid.text.readers.extract import plural
from pellucid.text.readers.html import looks_like_html
from pellucid.text.web.download import cached_path, download
from pellucid.text.web.transfer import without_credentials
from pellucid.text.web.website import read_site

WINDOWS_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MOST_NAMED = 5  # files that could not be read that the notes spell out


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


def stream(sources: str | Path | Sequence[str | Path], *, progress: Progress | None = None) -> DocumentStream:
    """The documents that `read` would give, one after the other, for corpora that memory does not hold.

    One file is in memory at a time. What there is to say is in the result once all documents were taken.

    Raises:
        InputError: as `read`; some documents may have been given before.
    """
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    if not sources:
        raise InputError(
            f"Nothing to read: give a text file, a folder, a web address, or one of {names_of_corpora()}"
        )
    return DocumentStream(sources, progress)


class DocumentStream:
    """An iterator of documents, which gathers what there is to say about them."""

    def __init__(self, sources: Sequence[str | Path], progress: Progress | None) -> None:
        self.summary = Extract()  # all but the documents
        self._progress = progress
        self._names: list[str] = []
        self._seen: set[Path] = set()
        self._named_documents: set[Document] = set()
        self._documents = itertools.chain.from_iterable(map(self._add, sources))

    def __iter__(self) -> Iterator[Document]:
        """The documents not taken yet."""
        return self._documents

    @property
    def name(self) -> str:
        """What to name the corpus after: a slug, which can be the name of a folder on every system."""
        return _slug(self._names[0]) + (f"-plus-{len(self._names) - 1}" if len(self._names) > 1 else "")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should be told, in whole sentences."""
        notes = list(dict.fromkeys(self.summary.notes))
        unreadable = self.summary.unreadable
        notes += [f"skipped: {reason}" for _, reason in unreadable[:MOST_NAMED]]
        if len(unreadable) > MOST_NAMED:
            notes.append(f"skipped: {plural(len(unreadable) - MOST_NAMED, 'more file')}")
        for what, files in self.summary.file_notes.items():
            notes.append(f"{files[0] if len(files) == 1 else plural(len(files), 'file')}: {what}")
        if self.summary.n_empty:
            notes.append(f"left out {plural(self.summary.n_empty, 'empty document')}")
        return tuple(notes)

    def _take(self, extracts: Iterator[Extract]) -> Iterator[Document]:
        for found in extracts:
            documents, found.documents = found.documents, []
            self.summary.add(found)
            yield from documents

    def _add(self, source: str | Path) -> Iterator[Document]:
        text = str(source)
        if not text.strip() or "\0" in text:
            raise InputError(
                f"{text!r} names no text: give a file, a folder, a web address, or one of {names_of_corpora()}"
            )
        if is_named(text):  # a file of that name has a separator or a suffix, or it is not what is meant
            return self._take(self._read_named(text))
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            return self._take(self._read_address(text))
        path = expand_home(Path(source))
        mode = file_mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            return self._take(self._read_folder(path))
        if mode is not None:
            self._names.append(path.stem)
            return self._take(self._read_file(path, path.name))
        if glob.has_magic(text):
            return self._take(self._read_pattern(str(path)))
        raise InputError(
            f"{text} does not exist{_suggestion(path)}: check the spelling and the folder you are in"
        )

    def _read_named(self, name: str) -> Iterator[Extract]:
        if Path(name) in self._seen:
            self._names.append(name)
            yield Extract(notes=[f"{name} is named twice and read once"])
            return
        self._seen.add(Path(name))  # files are absolute in there
        notes = list[str]()
        if os.path.lexists(name):
            notes.append(f"{name} is the named corpus; for what is called so here, write ./{name}")
        corpus = read_named(name, self._progress)
        self._names.append(corpus.name)
        # a book can be named by its number and be part of a list too
        kept = [document for document in corpus.documents if document not in self._named_documents]
        self._named_documents.update(kept)
        if n_known := len(corpus.documents) - len(kept):
            notes.append(f"{name}: {plural(n_known, 'document')} already read")
        yield Extract(kept, [*notes, *corpus.notes])

    def _read_address(self, url: str) -> Iterator[Extract]:
        self._names.append(address_stem(url))
        was_cached = cached_path(url).is_file()
        path = download(url, max_bytes=MOST_BYTES, progress=self._progress, html=True)
        shown = without_credentials(url)
        if self._is_new(path):
            if was_cached:
                note = f"{shown}: the copy fetched earlier; delete {path} to fetch it again"
                self.summary.notes.append(note)
            data = read_bytes(path, shown, MOST_BYTES)
            if looks_like_html(data):
                yield read_site(url, data, is_new=not was_cached, progress=self._progress)
            else:
                yield extract(data, shown)
        else:
            yield Extract(notes=[f"{shown} is named twice and read once"])

    def _read_file(self, path: Path, name: str) -> Iterator[Extract]:
        if self._is_new(path):
            refuse_other_formats(name)
            yield extract(read_bytes(path, name, MOST_BYTES), name)
        else:
            yield Extract(notes=[f"{name} is named twice and read once"])

    def _is_new(self, path: Path) -> bool:
        known = path.resolve() in self._seen
        self._seen.add(path.resolve())
        return not known

    def _read_folder(self, folder: Path) -> Iterator[Extract]:
        root = folder.resolve()
        self._names.append(root.name or "folder")
        entries, n_twice, n_documents = list[Entry](), 0, 0
        for path in walk(folder, self.summary.notes):
            inside = PurePosixPath(path.relative_to(folder).as_posix())
            name = f"{root.name}/{inside}"
            if self._is_new(path):
                entries.append(Entry(name, inside, partial(read_bytes, path, name, MOST_BYTES)))
            elif path.suffix.lower() in TEXT_SUFFIXES:
                n_twice += 1
                self.summary.notes.append(f"{name} is named twice and read once")
        reasons = list[str]()
        for found in read_tree(entries, str(folder)):
            n_documents += len(found.documents)
            reasons += [reason for _, reason in found.unreadable]
            yield found
        if reasons and not n_documents:
            raise InputError(f"{folder} holds no text that can be read. {reasons[0]}")
        if not n_documents and not n_twice:
            raise InputError(f"{folder} holds no text: files ending in {', '.join(TEXT_SUFFIXES)} are read")

    def _read_pattern(self, pattern: str) -> Iterator[Extract]:
        matches = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
        paths = sorted(path for path in map(Path, matches) if path.is_file())
        if not paths:
            raise InputError(f"{pattern} matches no file: check it, and write ** for folders of any depth")
        self._names.append(_pattern_name(pattern, paths))
        reasons = list[str]()
        for path in paths:
            try:
                yield from self._read_file(path, path.as_posix())
            except InputError as error:
                reasons.append(str(error))
                yield Extract(unreadable=[(path.as_posix(), str(error))])
        if len(reasons) == len(paths):
            raise InputError(f"{pattern} holds no text that can be read. {reasons[0]}")


def address_stem(url: str) -> str:
    """What to name a corpus after that comes from `url`."""
    stem = Path(unquote(urlsplit(url).path)).name or urlsplit(url).hostname or "web"
    return stem.split(".")[0] or "web"


def _pattern_name(pattern: str, paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return paths[0].stem
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    return Path(*fixed).resolve().name or "texts"


def _suggestion(path: Path) -> str:
    """`; did you mean …` with the most similar name beside `path`, or of a named corpus; else nothing."""
    try:
        beside = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        beside = []
    names = beside + ([] if path.parent.parts else list(CORPORA))
    lowered = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(path.name.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean {path.parent / lowered[near[0]]}?" if near else ""


def _slug(name: str) -> str:
    """A folder name that every system takes: up to 60 letters, digits, `-`, `_`, `.`; not Windows' own."""
    text = unicodedata.normalize("NFC", name).lower()
    text = re.sub(r"[^\w.-]+", "-", text)[:60].strip("-._") or "text"
    return f"{text}-text" if WINDOWS_RESERVED.fullmatch(text) else text
