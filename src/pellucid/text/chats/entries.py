"""Files, folders and zip archives become files to read, within bounds; nothing is ever unpacked to disk."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from pellucid.errors import InputError
from pellucid.text.files import expand_home, file_mode, read_beginning, read_bytes, walk
from pellucid.text.readers.archive import Archive, Budget
from pellucid.text.readers.tree import Entry

# a file; also what is read of a folder or an archive together; JSON takes many times that
MOST_BYTES = 1 << 29
MOST_FILES = 100_000
ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # beginnings; the second of an empty one
DEEPEST = 3  # archives in archives

# What stands beside a chat in exports and never is one; not even loaded.
_PICTURES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".webp",
    ".heic",
    ".heif",
    ".avif",
    ".bmp",
    ".tif",
    ".tiff",
    ".svg",
)
_FILMS = (".mp4", ".mov", ".m4v", ".3gp", ".mkv", ".webm", ".avi", ".tgs", ".thumb")
_SOUNDS = (".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".wav", ".flac", ".amr", ".caf")
_OTHERS = (
    ".pdf",
    ".doc",
    ".docx",
    ".xls",
    ".xlsx",
    ".ppt",
    ".pptx",
    ".epub",
    ".vcf",
    ".ics",
    ".pkpass",
    ".apk",
)
_PAGES = (".html", ".htm", ".css", ".js", ".woff", ".woff2", ".ttf")
MEDIA = frozenset((*_PICTURES, *_FILMS, *_SOUNDS, *_OTHERS, *_PAGES))


def entries_of(source: str | Path, notes: list[str]) -> list[Entry]:
    """The files that may hold a chat: the file itself, those in a folder, or in a zip archive, at any depth.

    Raises:
        InputError: there is nothing at `source`, or an archive in it is damaged, too large, or names a path outside.
    """
    path, text = expand_home(Path(source)), str(source)
    mode = file_mode(path) if text.strip() and "\0" not in text else None
    if mode is None:
        raise InputError(
            f"{text or repr(text)} does not exist: give the file, the folder or the .zip of an export"
        )
    if not stat.S_ISDIR(mode):
        return list(_file(path, path.name, PurePosixPath(path.resolve().parent.name, path.name)))
    found = list[Entry]()
    for file in walk(path, notes):
        inside = PurePosixPath(file.relative_to(path).as_posix())
        found += _file(file, f"{path.name or path}/{inside}", PurePosixPath(path.resolve().name) / inside)
        if len(found) > MOST_FILES:
            raise InputError(
                f"{path} holds more than {MOST_FILES:,} files: give the folder of the export alone"
            )
    return found


def _file(path: Path, name: str, place: PurePosixPath) -> Iterator[Entry]:
    def load() -> bytes:
        return read_bytes(path, name, MOST_BYTES)

    if place.suffix.lower() in MEDIA:
        yield Entry(name, place, load)
    elif _is_zip(path, name):
        yield from _members(path, name, place.with_suffix(""), Budget(MOST_BYTES), 1)
    else:
        yield Entry(name, place, load)


def _is_zip(path: Path, name: str) -> bool:
    mode = file_mode(path)  # a pipe is not opened: it would never end
    return mode is not None and stat.S_ISREG(mode) and read_beginning(path, name, 4) in ZIP


def _members(
    data: bytes | Path, name: str, folder: PurePosixPath, budget: Budget, depth: int
) -> Iterator[Entry]:
    archive = Archive(data, name, budget)
    for member in archive.members:
        if _escapes(member):
            raise InputError(
                f"{name} holds a file whose path leads out of the archive ({member[:80]!r}), which no export does: "
                "get it again from the program that made it"
            )
    for member in sorted(archive.members):
        path = folder / member.replace("\\", "/")
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
            continue
        entry = Entry(f"{name}/{member}", path, partial(archive.read, member))
        if path.suffix.lower() != ".zip":
            yield entry
        elif depth == DEEPEST:
            raise InputError(
                f"{entry.name} is an archive in archives, {DEEPEST + 1} deep: unpack it and give that"
            )
        else:
            yield from _members(entry.load(), entry.name, path.with_suffix(""), budget, depth + 1)


def _escapes(member: str) -> bool:
    path = member.replace("\\", "/")
    return path.startswith("/") or bool(re.match(r"[A-Za-z]:", path)) or ".." in path.split("/")
