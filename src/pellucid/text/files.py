"""Files and folders, looked at with care: pipes, devices, permissions, names the system does not allow."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import InputError


def read_bytes(path: Path, name: str, most_bytes: int) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it is not a file, larger than `most_bytes`, or may not be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(
                f"{name} is not a file (but a pipe or a device): save the text to a file and give that"
            )
        if status.st_size > most_bytes:
            raise InputError(
                f"{name} has {status.st_size / 2**30:.1f} GiB, and files of up to {most_bytes >> 30} GiB "
                "are read: split it into several files"
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror or error}): check its permissions"
        ) from error


def read_beginning(path: Path, name: str, n_bytes: int) -> bytes:
    """Up to `n_bytes` of the beginning of a file; raises InputError if it may not be read."""
    try:
        with path.open("rb") as file:
            return file.read(n_bytes)
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror or error}): check its permissions"
        ) from error


def expand_home(path: Path) -> Path:
    """`path` with `~` and `~name` as home folders, where there are such."""
    try:
        return path.expanduser()
    except RuntimeError:  # `~name` where nobody has that name: a file may
        return path


def file_mode(path: Path) -> int | None:
    """The mode of `path`, or None if nothing is there; raises InputError if that may not be known."""
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    except (OSError, ValueError):  # also names that are too long, or that the system does not allow
        return None


def walk(folder: Path, notes: list[str]) -> Iterator[Path]:
    """The files below `folder` that are not hidden, in order; links to folders are not followed."""

    def unreadable(error: OSError) -> None:
        notes.append(f"{error.filename} cannot be read ({error.strerror}) and is left out")

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def file_sha256(path: Path) -> str:
    """SHA-256 of the bytes of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
