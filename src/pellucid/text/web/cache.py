"""Where fetched text is kept between runs."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import InputError


def cache_dir() -> Path:
    """Where fetched text is kept: `PELLUCID_CACHE`, or the place the platform has for caches."""
    if chosen := os.environ.get("PELLUCID_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "pellucid" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pellucid"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # the XDG specification: a path that is not absolute is to be ignored
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "pellucid"


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Makes `folder`; a disk that is full or may not be written to becomes an InputError that says so."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(
            f"Nothing can be kept in {folder} ({error.strerror or error}): make room there, "
            "or set PELLUCID_CACHE to a folder that can be written"
        ) from error


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Gives a path beside `path`, which becomes `path` if all goes well: that is whole or not there.

    Raises:
        InputError: the folder cannot be written.
    """
    with writing_in(path.parent), tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        partial = Path(folder) / path.name
        yield partial
        partial.replace(path)
