"""What a person names (a corpus, an address, a file, a folder, a pattern) becomes items: what to read, in order."""

from __future__ import annotations

import difflib
import glob
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pellucid.errors import InputError
from pellucid.text.corpora.named import fetch_named, read_named
from pellucid.text.corpora.registry import CORPORA, book_numbers, is_named, names_of_corpora
from pellucid.text.corpora.tales import is_tales, n_stories
from pellucid.text.documents import Document, Progress, fingerprint
from pellucid.text.files import expand_home, file_mode, read_beginning, read_bytes, walk
from pellucid.text.readers import (
    MOST_BYTES,
    TEXT_SUFFIXES,
    Entry,
    Extract,
    extract,
    read_entries,
    refuse_other_formats,
    take_substack,
)
from pellucid.text.readers.html import looks_like_html
from pellucid.text.web.download import cached_path, download
from pellucid.text.web.transfer import without_credentials
from pellucid.text.web.website import Site, read_site
from pellucid.text.wording import plural

PLAIN = (".txt", ".text", "")  # suffixes of what is plain text, unless it begins as something else
HEAD = 4096  # bytes by which a web page is known


@dataclass(eq=False)
class Group:
    """A folder or a pattern: what cannot be read of it is left out, unless that is all of it."""

    name: str
    has_text: bool = False  # some of it was read, if only as part of another source
    reasons: list[str] = field(default_factory=list)  # why files of it could not be read

    def refuse_if_empty(self) -> None:
        """Raises InputError where nothing of it could be read."""
        if self.has_text:
            return
        if self.reasons:
            raise InputError(f"{self.name} holds no text that can be read. {self.reasons[0]}")
        raise InputError(f"{self.name} holds no text: files ending in {', '.join(TEXT_SUFFIXES)} are read")


@dataclass(frozen=True)
class Item:
    """One thing to read, as often as need be."""

    name: str  # what errors and notes call it
    read: Callable[[], Iterable[Extract]]  # what is in it, held in memory
    paths: tuple[Path, ...] = ()  # the files on this machine that it is made of
    is_plain: bool = False  # it is one file, of plain text by its name: a large one can be read in pieces
    group: Group | None = None


def by_group(items: Iterable[Item]) -> Iterator[Item]:
    """The items; raises InputError after those of a group of which nothing could be read."""
    for group, members in itertools.groupby(items, lambda item: item.group):
        yield from members
        if group:
            group.refuse_if_empty()


class Listing:
    """Turns sources into items, each file, address and book once."""

    def __init__(self, notes: list[str], progress: Progress | None, in_pieces: bool) -> None:
        """Puts what there is to say into `notes`.

        Args:
            in_pieces: the items are not read whole where they are large, so that named corpora may be, too.
        """
        self.names: list[str] = []  # what to name the corpus after
        self._notes, self._progress, self._in_pieces = notes, progress, in_pieces
        self._seen: set[Path] = set()
        self._owners: dict[str, str] = {}  # the named corpus that a document is read as part of

    def items(self, source: str | Path) -> Iterator[Item]:
        """Raises: InputError when there is no such source; as they are taken, when it names no text."""
        text = str(source)
        if not text.strip() or "\0" in text:
            raise InputError(
                f"{text!r} names no text: give a file, a folder, a web address, or one of {names_of_corpora()}"
            )
        if text.startswith("gutenberg:"):
            book_numbers(text)
        if is_tales(text):
            n_stories(text)
        if is_named(text):  # a file of that name has a separator or a suffix, or it is not what is meant
            return self._named(text)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            return self._address(text)
        path = expand_home(Path(source))
        mode = file_mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            return self._folder(path)
        if mode is not None:
            self.names.append(path.stem)
            return self._file(path, path.name)
        if glob.has_magic(text):
            return self._pattern(str(path), _matches(str(path)))
        raise InputError(
            f"{text} does not exist{_suggestion(path)}: check the spelling and the folder you are in"
        )

    def _named(self, name: str) -> Iterator[Item]:
        place = len(self.names)
        self.names.append(name)
        if Path(name) in self._seen:
            self._say_twice(name)
            return
        self._seen.add(Path(name))  # files are absolute in there
        if os.path.lexists(name):
            self._notes.append(f"{name} is the named corpus; for what is called so here, write ./{name}")

        def read() -> Iterator[Extract]:
            corpus = read_named(name, self._progress)
            self.names[place] = corpus.name
            # a book can be named by its number and be part of a list too
            kept = [document for document in corpus.documents if self._owner(document, name) == name]
            n_known = len(corpus.documents) - len(kept)
            known = [f"{name}: {plural(n_known, 'document')} already read"] if n_known else []
            yield Extract(kept, [*known, *corpus.notes])

        is_file = self._in_pieces and name in CORPORA and bool(CORPORA[name].files)
        paths = (fetch_named(name, self._progress),) if is_file else ()
        yield Item(name, read, paths, is_plain=is_file)

    def _owner(self, document: Document, name: str) -> str:
        return self._owners.setdefault(fingerprint((document.name, document.text)), name)

    def _address(self, url: str) -> Iterator[Item]:
        self.names.append(address_stem(url))
        shown, is_new = without_credentials(url), not cached_path(url).is_file()
        path = download(url, max_bytes=MOST_BYTES, progress=self._progress, html=True)
        if not self._is_new(path):
            self._say_twice(shown)
            return
        if not is_new:
            self._notes.append(f"{shown}: the copy fetched earlier; delete {path} to fetch it again")
        if looks_like_html(read_beginning(path, shown, HEAD)):
            site = Site(url, self._progress)
            if is_new:
                site.refuse_forbidden()
            yield Item(shown, lambda: [read_site(site, read_bytes(path, shown, MOST_BYTES))], (path,))
        else:
            suffix = PurePosixPath(unquote(urlsplit(url).path)).suffix.lower()
            read = partial(_read_file, path, shown, suffix)
            yield Item(shown, read, (path,), is_plain=suffix in PLAIN)

    def _file(self, path: Path, name: str, group: Group | None = None) -> Iterator[Item]:
        if self._is_new(path):
            suffix = path.suffix.lower()
            read = partial(_read_file, path, name, suffix)
            yield Item(name, read, (path,), suffix in PLAIN, group)
        else:
            self._say_twice(name, group)

    def _folder(self, folder: Path) -> Iterator[Item]:
        root, group, entries = folder.resolve(), Group(str(folder)), list[Entry]()
        self.names.append(root.name or "folder")
        for path in walk(folder, self._notes):
            inside = PurePosixPath(path.relative_to(folder).as_posix())
            name = f"{root.name}/{inside}"
            if self._is_new(path):
                entries.append(Entry(name, inside, partial(read_bytes, path, name, MOST_BYTES)))
            elif path.suffix.lower() in TEXT_SUFFIXES:
                self._say_twice(name, group)
        if not entries:
            group.refuse_if_empty()
        exports, rest = take_substack(entries)
        for export in exports:
            paths = tuple(folder / entry.path for entry in export.entries)
            yield Item(export.name, export.read, paths, group=group)
        for entry in rest:
            read = partial(read_entries, [entry], str(folder), TEXT_SUFFIXES, extract)
            suffix = entry.path.suffix.lower()
            is_plain = suffix in PLAIN and suffix in TEXT_SUFFIXES
            yield Item(entry.name, read, (folder / entry.path,), is_plain, group)

    def _pattern(self, pattern: str, paths: list[Path]) -> Iterator[Item]:
        self.names.append(_pattern_name(pattern, paths))
        group = Group(pattern)
        for path in paths:
            yield from self._file(path, path.as_posix(), group)

    def _is_new(self, path: Path) -> bool:
        known = path.resolve() in self._seen
        self._seen.add(path.resolve())
        return not known

    def _say_twice(self, name: str, group: Group | None = None) -> None:
        self._notes.append(f"{name} is named twice and read once")
        if group:
            group.has_text = True


def _read_file(path: Path, name: str, suffix: str) -> Iterator[Extract]:
    refuse_other_formats(name, suffix)
    yield extract(read_bytes(path, name, MOST_BYTES), name, suffix)


def address_stem(url: str) -> str:
    """What to name a corpus after that comes from `url`."""
    stem = Path(unquote(urlsplit(url).path)).name or urlsplit(url).hostname or "web"
    return stem.split(".")[0] or "web"


def _matches(pattern: str) -> list[Path]:
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    paths = sorted(path for path in map(Path, found) if path.is_file())
    if not paths:
        raise InputError(f"{pattern} matches no file: check it, and write ** for folders of any depth")
    return paths


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
