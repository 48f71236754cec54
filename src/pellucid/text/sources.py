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
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pellucid.errors import InputError
from pellucid.text.corpora import CORPORA, is_named, names_of_corpora
from pellucid.text.decoding import decode
from pellucid.text.documents import Corpus, Document, Progress, split_documents
from pellucid.text.download import cached_path, download
from pellucid.text.gutenberg import strip_gutenberg
from pellucid.text.named import read_named

TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".text")
OTHER_FORMATS = frozenset(
    (
        *(".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".mobi", ".azw3", ".html", ".htm", ".xhtml"),
        *(".ppt", ".pptx", ".xls", ".xlsx", ".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".parquet"),
        *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".mp4", ".wav", ".safetensors", ".gguf", ".pt"),
        *(".pth", ".bin", ".npy", ".npz", ".exe", ".dll", ".so"),
    )
)
MOST_BYTES = 2 << 30  # a file is held in memory several times over while it is read
WINDOWS_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MOST_NAMED = 5  # file names a note spells out


def read(sources: str | Path | Sequence[str | Path], *, progress: Progress | None = None) -> Corpus:
    """The corpus that `sources` name, one or several of:

    - a named corpus, such as `shakespeare` or `gutenberg:84` (a file of that name: write `./shakespeare`);
    - an http(s) address of plain text, kept in the cache once fetched;
    - a text file of any suffix, in UTF-8, UTF-16 with a byte order mark, or Windows-1252;
    - a folder: its .txt, .md, .markdown and .text files at any depth, hidden ones left out;
    - a pattern such as `books/*.txt` or `books/**/*.md`, expanded here since Windows shells do not.

    A file is one document, or one for each story where lines of `<|endoftext|>` stand between them; a file
    named twice is read once. Project Gutenberg's header and licence are left out. In folders and patterns,
    what cannot be read is skipped, with a note.

    Raises:
        InputError: a source is missing, empty, not text, too large, or of a format that is not read.
    """
    reading = _Reading(progress)
    name = reading.add_sources(sources)
    notes = list(dict.fromkeys(reading.notes))
    for what, files in reading.file_notes.items():
        notes.append(f"{files[0] if len(files) == 1 else _plural(len(files), 'file')}: {what}")
    if reading.n_empty:
        notes.append(f"left out {_plural(reading.n_empty, 'empty document')}")
    return Corpus(name, tuple(reading.documents), tuple(notes))


@dataclass(frozen=True)
class Named:
    """One thing that a source names: `read(what)` gives its documents."""

    what: str | Path
    name: str  # what errors and notes call it
    path: Path | None = None  # the file on this machine, also of an address; None for a named corpus
    group: str | None = None  # the folder or pattern it is of: what cannot be read of that is left out


def list_files(
    sources: str | Path | Sequence[str | Path], *, progress: Progress | None = None
) -> tuple[str, list[Named], list[str]]:
    """What `read` would read of `sources`, in order, without reading it: the corpus's name, files, notes.

    Raises:
        InputError: a source is missing, or names no text.
    """
    listing = _Listing(progress)
    return listing.add_sources(sources), listing.named, list(dict.fromkeys(listing.notes))


@dataclass
class _Reading:
    """What has been read so far."""

    progress: Progress | None
    documents: list[Document] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    file_notes: dict[str, list[str]] = field(default_factory=dict)  # what there is to say, and of which files
    n_empty: int = 0
    seen: set[Path] = field(default_factory=set)

    def add_sources(self, sources: str | Path | Sequence[str | Path]) -> str:
        """Reads them all; returns the corpus's name."""
        sources = [sources] if isinstance(sources, str | Path) else list(sources)
        if not sources:
            raise InputError(
                f"Nothing to read: give a text file, a folder, a web address, or one of {names_of_corpora()}"
            )
        names = [self.add(source) for source in sources]
        return _slug(names[0]) + (f"-plus-{len(names) - 1}" if len(names) > 1 else "")

    def add(self, source: str | Path) -> str:
        """Reads `source`; returns what to name the corpus after."""
        text = str(source)
        if not text.strip() or "\0" in text:
            raise InputError(
                f"{text!r} names no text: give a file, a folder, a web address, or one of {names_of_corpora()}"
            )
        if is_named(text):  # a file of that name has a separator or a suffix, or it is not what is meant
            return self._add_named(text)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            return self._add_address(text)
        path = _expand_home(Path(source))
        kind = _kind(path)
        if kind is not None and stat.S_ISDIR(kind):
            return self._add_folder(path)
        if kind is not None:
            self._add_file(path, path.name)
            return path.stem
        if glob.has_magic(text):
            return self._add_pattern(str(path))
        raise InputError(
            f"{text} does not exist{_suggestion(path)}: check the spelling and the folder you are in"
        )

    def _add_named(self, name: str) -> str:
        if Path(name) in self.seen:
            self.notes.append(f"{name} is named twice and read once")
            return name
        self.seen.add(Path(name))  # files are absolute in there
        if os.path.lexists(name):
            self.notes.append(f"{name} is the named corpus; for what is called so here, write ./{name}")
        corpus = read_named(name, self.progress)
        before = set(self.documents)  # a book can be named by its number and be part of a list too
        kept = [document for document in corpus.documents if document not in before]
        if len(kept) < len(corpus.documents):
            self.notes.append(
                f"{name}: {_plural(len(corpus.documents) - len(kept), 'document')} already read"
            )
        self.documents += kept
        self.notes += corpus.notes
        return corpus.name

    def _add_address(self, url: str) -> str:
        was_cached = cached_path(url).is_file()
        path = download(url, max_bytes=MOST_BYTES, progress=self.progress)
        if was_cached:
            self.notes.append(f"{url}: the copy fetched earlier; delete {path} to fetch it again")
        stem = Path(unquote(urlsplit(url).path)).name or urlsplit(url).hostname or "web"
        self._add_file(path, url)
        return stem.split(".")[0] or "web"

    def _add_folder(self, folder: Path) -> str:
        paths, others = list[Path](), list[str]()
        for path in _walk(folder, self.notes):
            if path.suffix.lower() in TEXT_SUFFIXES:
                paths.append(path)
            else:
                others.append(path.suffix or path.name)
        if not paths:
            raise InputError(f"{folder} holds no text: files ending in {', '.join(TEXT_SUFFIXES)} are read")
        if others:
            kinds = ", ".join(sorted(set(others))[:MOST_NAMED])
            self.notes.append(f"{folder}: {_plural(len(others), 'file')} of other kinds left alone ({kinds})")
        root = folder.resolve()
        self._add_all(
            paths, [f"{root.name}/{path.relative_to(folder).as_posix()}" for path in paths], str(folder)
        )
        return root.name or "folder"

    def _add_pattern(self, pattern: str) -> str:
        matches = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
        paths = sorted(path for path in map(Path, matches) if path.is_file())
        if not paths:
            raise InputError(f"{pattern} matches no file: check it, and write ** for folders of any depth")
        self._add_all(paths, [path.as_posix() for path in paths], pattern)
        if len(paths) == 1:
            return paths[0].stem
        fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
        return Path(*fixed).resolve().name or "texts"

    def _add_all(self, paths: Sequence[Path], names: Sequence[str], source: str) -> None:
        """Reads the files of a folder or pattern; those that cannot be read are skipped, unless all are."""
        skipped = list[str]()
        for path, name in zip(paths, names, strict=True):
            try:
                self._add_file(path, name)
            except InputError as error:
                skipped.append(str(error))
        if len(skipped) == len(paths):
            raise InputError(f"{source} holds no text that can be read. {skipped[0]}")
        self.notes += [f"skipped: {reason}" for reason in skipped[:MOST_NAMED]]
        if len(skipped) > MOST_NAMED:
            self.notes.append(f"skipped: {_plural(len(skipped) - MOST_NAMED, 'more file')}")

    def _add_file(self, path: Path, name: str) -> None:
        """Raises InputError if `path` is not a file of text that holds any."""
        if path.resolve() in self.seen:
            self.notes.append(f"{name} is named twice and read once")
            return
        self.seen.add(path.resolve())
        text, decoding_note = decode(_read_bytes(path, name), name)
        text, book_note = strip_gutenberg(text)
        documents = split_documents(text, name)
        kept = [document for document in documents if document.text.strip()]
        if not kept:
            raise InputError(f"{name} is empty: there is no text in it to learn from")
        self.n_empty += len(documents) - len(kept)
        self.documents += kept
        for note in filter(None, (decoding_note, book_note)):
            self.file_notes.setdefault(note, []).append(name)


@dataclass
class _Listing(_Reading):
    """Notes down what there is to read instead of reading it."""

    named: list[Named] = field(default_factory=list)
    group: str | None = None

    def _add_named(self, name: str) -> str:
        self._note_down(Path(name), Named(name, name))
        return name

    def _add_all(self, paths: Sequence[Path], names: Sequence[str], source: str) -> None:
        self.group = source
        super()._add_all(paths, names, source)
        self.group = None

    def _add_file(self, path: Path, name: str) -> None:
        is_address = "://" in name
        self._note_down(path.resolve(), Named(name if is_address else path, name, path, self.group))

    def _note_down(self, key: Path, named: Named) -> None:
        if key in self.seen:
            self.notes.append(f"{named.name} is named twice and read once")
            return
        self.seen.add(key)
        self.named.append(named)


def _read_bytes(path: Path, name: str) -> bytes:
    if path.suffix.lower() in OTHER_FORMATS:
        raise InputError(
            f"{name} cannot be read: so far texts are, such as {', '.join(TEXT_SUFFIXES)}; "
            f"export the {path.suffix.lower()} file as plain text"
        )
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(
                f"{name} is not a file (but a pipe or a device): save the text to a file and give that"
            )
        if status.st_size > MOST_BYTES:
            raise InputError(
                f"{name} has {status.st_size / 2**30:.1f} GiB, and files of up to {MOST_BYTES >> 30} GiB "
                "are read: split it into several files"
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror or error}): check its permissions"
        ) from error


def _expand_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # `~name` where nobody has that name: a file may
        return path


def _kind(path: Path) -> int | None:
    """The file mode of `path`, or None if nothing is there."""
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    except (OSError, ValueError):  # also names that are too long, or that the system does not allow
        return None


def _walk(folder: Path, notes: list[str]) -> Iterator[Path]:
    """The files below `folder` that are not hidden, in order; links to folders are not followed."""

    def unreadable(error: OSError) -> None:
        notes.append(f"{error.filename} cannot be read ({error.strerror}) and is left out")

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


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


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
