"""The files of a model, opened only where they are files: no pipe, which may never end, and no device."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from pellucid.errors import InputError


def opened(path: Path) -> tuple[BinaryIO, int]:
    """A file to read and its size; links are followed, as the cache of Hugging Face's hub is made of them.

    Raises:
        InputError: it is missing, no regular file, or may not be read.
    """
    try:
        # without O_NONBLOCK a pipe that nobody writes to would be waited for
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: is this the folder of a model?") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path} cannot be read ({reason}): check the path and its permissions") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise InputError(f"{path} is no file: give the folder of a Hugging Face model, or a .gguf file")
    return os.fdopen(handle, "rb"), found.st_size


def read_whole(path: Path, limit: int) -> bytes:
    """All of a file of at most `limit` bytes. Raises: InputError as `opened`, or when it is larger."""
    file, _ = opened(path)
    with file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"{path} is larger than {limit >> 20} MiB: it is not a file of a model")
    return data
