"""Memory that a training keeps between its steps, instead of giving it back after each and asking again."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
ALL = (1 << 31) - 1  # bytes, the largest number that mallopt takes
USUAL = 1 << 25  # bytes of the largest block that glibc keeps by itself, once such a block was freed


@contextlib.contextmanager
def keeping_memory(device: str) -> Iterator[None]:
    """On a CPU with glibc, blocks that are freed stay with the process until the end; elsewhere nothing changes.

    glibc gives a large block back to the system when it is freed. The next step takes one anew, page by page: half of
    the time of a step whose logits take 200 MB (docs/LOG.md, "Allocation").
    """
    libc = _glibc() if device == "cpu" else None
    if libc is None:
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, ALL)
    libc.mallopt(M_TRIM_THRESHOLD, ALL)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, USUAL)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * USUAL)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
