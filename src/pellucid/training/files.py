"""Files that are whole or not there: written beside their place, synced, and renamed."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pellucid.errors import InputError

WAITS = (0.01, 0.03, 0.1, 0.3, 1.0)  # seconds, for those who read a file that is to be replaced


def write_atomically(path: Path, write: Callable[[Path], object], durable: bool = True) -> None:
    """Let `write` make the file at a temporary name, sync it if `durable`, and put it in its place at once."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        if durable:
            sync(temporary)
        _put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        sync(path.parent)


def _put_in_place(temporary: Path, path: Path) -> None:
    """Windows replaces no file while somebody reads it, as the page may for a moment: then it is tried again."""
    waits = WAITS if os.name == "nt" else ()
    for seconds in waits:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(seconds)
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_json(path: Path, limit: int = 1 << 26) -> dict[str, Any]:
    """Raises: InputError when the file is missing, longer than `limit` bytes, or not a JSON object."""
    try:
        if path.stat().st_size > limit:
            raise InputError(f"{path} is larger than {limit >> 20} MiB: it is not a file of a run")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: is this a run folder?") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged (it is not valid JSON): restore it from a copy") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged (it is no JSON object): restore it from a copy")
    return value


def lock(folder: Path, work: str, asking: bool = False) -> IO[bytes]:
    """Keep other processes from writing in a folder until the returned file is closed, or this process ends.

    Args:
        asking: only to find out whether anybody holds it: those who ask do not take one another for a holder.

    Raises:
        InputError: another process holds it.
    """
    file = (folder / ".lock").open("a+b")
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if asking else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise InputError(
            f"{folder} is in use by another {work}: wait for it, stop it, or choose another --out"
        ) from None
    return file


def sync(path: Path) -> None:
    """Ask the disk to keep a file, or a folder's list of names; Windows keeps the latter by itself."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bytes_below(folder: Path) -> int:
    """What the files of a folder take, while others may come and go in it."""
    total = 0
    for parent, _, names in os.walk(folder):  # a folder that is gone by then has no files
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total
