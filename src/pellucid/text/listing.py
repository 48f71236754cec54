"""What there is to read, listed without reading it: for those who go through texts larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.text.corpora.named import fetch_named
from pellucid.text.corpora.registry import CORPORA
from pellucid.text.documents import Progress
from pellucid.text.files import walk
from pellucid.text.readers import MOST_BYTES, TEXT_SUFFIXES
from pellucid.text.readers.extract import Extract
from pellucid.text.sources import DocumentStream, address_stem
from pellucid.text.web.download import download


@dataclass(frozen=True)
class Listed:
    """One thing that a source names: `sources.stream(what)` gives its documents."""

    what: str | Path
    name: str  # what errors and notes call it
    paths: tuple[Path, ...] = ()  # the files on this machine that it is made of
    group: str | None = None  # the folder or pattern it is of: what cannot be read of that is left out


def list_sources(
    sources: str | Path | Sequence[str | Path],
    is_large: Callable[[Path], bool],
    *,
    progress: Progress | None = None,
) -> tuple[str, list[Listed], list[str]]:
    """What `read` would read of `sources`, in order: the corpus's name, what there is, notes.

    Args:
        is_large: files by which a folder is listed one by one; others are one thing, read as a whole.

    Raises:
        InputError: a source is missing, or names no text.
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    listing = _Listing(given, progress, is_large)
    for _ in listing:  # there are none
        pass
    return listing.name, listing.listed, list(listing.notes)


class _Listing(DocumentStream):
    """Notes down what there is to read instead of reading it."""

    def __init__(
        self, sources: Sequence[str | Path], progress: Progress | None, is_large: Callable[[Path], bool]
    ) -> None:
        super().__init__(sources, progress)
        self.listed: list[Listed] = []
        self._is_large = is_large
        self._group: str | None = None

    def _read_named(self, name: str) -> Iterator[Extract]:
        self._names.append(name)
        if not self._is_new_name(name):
            return
        one_file = name in CORPORA and bool(CORPORA[name].files)
        paths = (fetch_named(name, self._progress),) if one_file else ()
        self.listed.append(Listed(name, name, paths))
        yield from ()

    def _is_new_name(self, name: str) -> bool:
        known = Path(name) in self._seen
        self._seen.add(Path(name))
        if known:
            self.summary.notes.append(f"{name} is named twice and read once")
        return not known

    def _read_address(self, url: str) -> Iterator[Extract]:
        self._names.append(address_stem(url))
        path = download(url, max_bytes=MOST_BYTES, progress=self._progress, html=True)
        if self._is_new(path):
            self.listed.append(Listed(url, url, (path,)))
        yield from ()

    def _read_file(self, path: Path, name: str) -> Iterator[Extract]:
        if self._is_new(path):
            self.listed.append(Listed(path, name, (path,), self._group))
        else:
            self.summary.notes.append(f"{name} is named twice and read once")
        yield from ()

    def _read_folder(self, folder: Path) -> Iterator[Extract]:
        paths = list(walk(folder, self.summary.notes))
        self._names.append(folder.resolve().name or "folder")
        if not any(path.resolve() in self._seen or self._is_large(path) for path in paths):
            self._seen.update(path.resolve() for path in paths)
            self.listed.append(Listed(folder, str(folder), tuple(paths)))
            return
        root, self._group = folder.resolve(), str(folder)
        for path in paths:
            if path.suffix.lower() in TEXT_SUFFIXES:
                yield from self._read_file(path, f"{root.name}/{path.relative_to(folder).as_posix()}")
        self._group = None

    def _read_pattern(self, pattern: str) -> Iterator[Extract]:
        self._group = pattern
        yield from super()._read_pattern(pattern)
        self._group = None
