"""Many files together, a folder's or an archive's: each is read by its reader, and the rest left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pellucid.errors import InputError
from pellucid.text.readers.archive import Archive, Budget
from pellucid.text.readers.extract import Extract, NotTextSource

DEEPEST = 2  # an archive in an archive is read, one in that is not

Read = Callable[[bytes, str], Extract]


@dataclass(frozen=True)
class Entry:
    """A file of a folder or an archive."""

    name: str  # what a person is told
    path: PurePosixPath  # where it is in the folder or archive
    load: Callable[[], bytes]  # raises InputError


def read_entries(
    entries: Sequence[Entry], where: str, suffixes: Sequence[str], read: Read
) -> Iterator[Extract]:
    """What is in the entries of those suffixes, an extract each; what cannot be read is listed with reasons.

    Files of other kinds, and those of a known kind that hold no text to train on, are left alone and counted.
    """
    others = list[str]()
    for entry in entries:
        if entry.path.suffix.lower() not in suffixes:
            others.append(entry.path.suffix or entry.path.name)
            continue
        try:
            yield read(entry.load(), entry.name)
        except NotTextSource:
            others.append(entry.path.suffix)
        except InputError as error:
            yield Extract(unreadable=[(entry.name, str(error))])
    if others:
        yield Extract(left_alone={where: others})


def archive_entries(data: bytes, name: str) -> list[Entry]:
    """The files in a zip archive and in the archives inside it; hidden ones and the Mac's doubles left out.

    Raises:
        InputError: not a zip archive, or damaged.
    """
    return list(_members(data, name, PurePosixPath(), Budget(), 1))


def _members(data: bytes, name: str, folder: PurePosixPath, budget: Budget, depth: int) -> Iterator[Entry]:
    archive = Archive(data, name, budget)
    for member in sorted(archive.members):
        path = folder / member.replace("\\", "/").lstrip("/")
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
            continue
        entry = Entry(f"{name}/{member}", path, lambda member=member: archive.read(member))
        if path.suffix.lower() != ".zip":
            yield entry
        elif depth == DEEPEST:
            yield _refused(
                entry, InputError(f"{entry.name} is an archive in an archive in an archive: unpack it")
            )
        else:
            try:
                yield from _members(entry.load(), entry.name, path, budget, depth + 1)
            except InputError as error:
                yield _refused(entry, error)


def _refused(entry: Entry, error: InputError) -> Entry:
    def load() -> bytes:
        raise error

    return Entry(entry.name, entry.path, load)
