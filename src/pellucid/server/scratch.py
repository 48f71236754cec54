"""A folder of one server's own beside the runs, for uploads and logs; it goes when the server ends.

A server that is killed leaves it, and the next one removes it: it is locked only as long as its server lives.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from pathlib import Path
from typing import IO

from pellucid.errors import InputError
from pellucid.training.files import lock

NAME = ".server"
LEAST_AGE = 60.0  # seconds; a younger one may be about to be locked


class Scratch:
    """Made when it is first needed.

    Args:
        runs: the folder of the runs.
    """

    def __init__(self, runs: Path) -> None:
        self.parent = runs / NAME
        self._folder: Path | None = None
        self._lock: IO[bytes] | None = None
        self._making = threading.Lock()
        self._sweep()

    def folder(self, name: str) -> Path:
        """A folder in it, made where it is not there."""
        with self._making:
            if self._folder is None:
                folder = self.parent / f"{os.getpid()}-{secrets.token_hex(4)}"
                folder.mkdir(parents=True)
                self._lock, self._folder = lock(folder, "server"), folder
            path = self._folder / name
            path.mkdir(exist_ok=True)
            return path

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._lock = self._folder = None
        _remove_if_empty(self.parent)

    def _sweep(self) -> None:
        """Remove what killed servers have left."""
        for folder in self.parent.glob("*") if self.parent.is_dir() else ():
            try:
                if time.time() - folder.stat().st_mtime > LEAST_AGE:
                    lock(folder, "server").close()
                    shutil.rmtree(folder, ignore_errors=True)
            except (InputError, OSError):
                continue  # its server lives, or it is not ours
        _remove_if_empty(self.parent)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
