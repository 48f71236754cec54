"""The network: web pages and files, fetched once into a cache, whole or not at all."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.web.cache import cache_dir, writing_in
from pellucid.text.web.partial import Partial
from pellucid.text.web.transfer import CutOff, Wanted, WrongBytes, transfer
from pellucid.text.wording import size

MOST_BYTES = 2 << 30
TRIES = 3  # without getting further
FURTHER = 1 << 20  # bytes that count as getting further
PAUSE = 1.0  # seconds before the second try, twice that before the third
MOST_PAUSE = 60.0  # a server that asks for more is asked another day
TIMEOUT = 30.0  # seconds without a byte
REMEDY = "or download the file with a browser and give its path"


def cached_path(url: str) -> Path:
    """Where `download` keeps what `url` gave."""
    return cache_dir() / "web" / hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]


def download(
    url: str,
    *,
    max_bytes: int = MOST_BYTES,
    size: int | None = None,
    sha256: str | None = None,
    html: bool = False,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    remedy: str = REMEDY,
) -> Path:
    """The path of a cached copy of `url`, fetched if there is none yet.

    A copy appears in the cache only when it is complete. A download that is cut off is gone on with where the
    server can do that, at once and by a later call, even of another process; three tries in a row that get
    no further are given up. Two processes that want the same file fetch it once.

    Args:
        max_bytes: more than this is refused, whether announced or not.
        size: the bytes it must have.
        sha256: what it must be; a cached copy that is not is fetched again.
        html: let an HTML page through.
        timeout: seconds to wait for a connection, and for each next piece.
        remedy: what errors say a person can do, as it follows "check the network, ".

    Raises:
        InputError: no http(s) address, no network, an error or an HTML page, too large, disk full, not the
            file expected.
    """
    wanted = Wanted(url, max_bytes, size, sha256, html, timeout, remedy)
    _check_address(wanted)
    path = cached_path(url)
    if wanted.is_at(path):
        return path
    with writing_in(path.parent), _alone_with(path, wanted, progress):
        if not wanted.is_at(path):  # another process was faster
            _fetch(wanted, Partial(path), progress)
    return path


def _check_address(wanted: Wanted) -> None:
    try:
        parts = urlsplit(wanted.url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        fine = False
    if not fine:
        raise InputError(
            f"{wanted.shown} is not a web address that can be read: begin it with https:// or http://"
        )


@contextmanager
def _alone_with(path: Path, wanted: Wanted, progress: Progress | None) -> Iterator[None]:
    """Only one process at a time is in here with `path`; when one is killed, the system lets the next in."""
    from filelock import FileLock, Timeout

    place = path.with_name(path.name + ".lock")
    place.touch()  # where nothing may be written this fails; on Windows the lock would wait for ever
    lock = FileLock(place)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if progress:
            progress(f"waiting for another process, which is fetching {wanted.shown}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(wanted: Wanted, partial: Partial, progress: Progress | None) -> None:
    """Puts the file in its place; where it cannot, leaves what a later call can go on with."""
    failures, furthest = 0, partial.size
    if progress:
        progress(f"fetching {wanted.shown}")
    try:
        while True:
            try:
                _try(wanted, partial, progress)
                return
            except CutOff as cut:
                if partial.size >= furthest + FURTHER:
                    failures, furthest = 0, partial.size
                failures += 1
                if failures == TRIES or (cut.wait or 0) > MOST_PAUSE:
                    raise InputError(_why_given_up(wanted, partial, cut)) from None
                pause = PAUSE * 2 ** (failures - 1) * random.uniform(0.5, 1.5)  # not all who wait at once
                pause = max(pause, cut.wait or 0)
                if progress:
                    progress(f"{cut}: asking again in {pause:.0f} s (try {failures + 1} of {TRIES})")
                time.sleep(pause)
    finally:
        partial.leave()


def _try(wanted: Wanted, partial: Partial, progress: Progress | None) -> None:
    try:
        n_before = transfer(wanted, partial, progress)
        if wanted.is_at(partial.path):
            partial.finish()
            return
        partial.discard()
        if n_before:  # the earlier part may be to blame
            raise CutOff("the parts do not make the file expected")
        raise InputError(wanted.not_it("its size or its SHA-256 differs"))
    except WrongBytes:  # after other errors, such as a full disk, a later call goes on
        partial.discard()
        raise


def _why_given_up(wanted: Wanted, partial: Partial, cut: CutOff) -> str:
    reason = str(cut)
    if cut.wait and cut.wait > MOST_PAUSE:
        reason += f" and asks to be left alone for {cut.wait:,.0f} s"
    kept = f"{size(partial.size)} of it are kept, and the same command goes on from there"
    return f"{wanted.shown} could not be fetched ({reason}): check the network, {wanted.remedy}" + (
        f"; {kept}" if partial.version() else ""
    )
