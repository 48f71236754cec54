"""Text that comes through the page: files under safe names, bounded, kept until it is trained on or let go.

An upload lies in the server's own folder and goes with it. A training takes a copy (links, where the system has
them) into its run folder, as `uploaded/`: there `--resume` finds it, and it goes when the run is deleted.
"""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from pellucid.errors import InputError
from pellucid.server.errors import NotFound, TooLarge
from pellucid.server.limits import UPLOAD_BYTES, UPLOAD_FILES
from pellucid.server.scratch import Scratch
from pellucid.text.sources import WINDOWS_RESERVED
from pellucid.text.wording import size

if TYPE_CHECKING:
    from pellucid.server.house import House

MOST_UPLOADS = 16  # at a time; for another one, that which was not used for longest goes
LONGEST_PATH, LONGEST_PART, DEEPEST = 600, 200, 20  # characters, bytes, folders
FORBIDDEN = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')  # what Windows takes in no name
SEVERAL = "uploaded"  # the folder of several files that have none of their own


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/uploads", tags=["uploads"])
    uploads: Uploads = house.jobs.uploads

    @router.post("")
    def begin() -> dict[str, Any]:
        """Begin an upload; gives its id."""
        return {"upload": uploads.begin()}

    @router.put("/{upload}/{path:path}")
    async def put(upload: str, path: str, request: Request) -> dict[str, Any]:
        """One file of an upload, its bytes as the body, under a path of its own."""
        length = request.headers.get("content-length", "")
        announced = int(length) if length.isdecimal() and len(length) < 16 else 0
        return {"bytes": await uploads.put(upload, path, request.stream(), announced)}

    @router.delete("/{upload}")
    def remove(upload: str) -> dict[str, Any]:
        """Let an upload go."""
        uploads.remove(upload)
        return {"deleted": upload}

    return router


@dataclasses.dataclass
class Upload:
    """`files` are the bytes of each, `n_bytes` those of all; what is on its way counts already."""

    folder: Path
    files: dict[str, int] = dataclasses.field(default_factory=dict)
    n_bytes: int = 0

    def count(self, file: str, n_bytes: int | None) -> None:
        """Note how many bytes a file has now; None where there is none."""
        self.n_bytes += (n_bytes or 0) - self.files.pop(file, 0)
        if n_bytes is not None:
            self.files[file] = n_bytes


class Uploads:
    """The uploads of one server."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._uploads: dict[str, Upload] = {}
        self._table = threading.Lock()

    def begin(self) -> str:
        """A name for a new upload."""
        name = secrets.token_hex(8)
        folder = self.scratch.folder("uploads") / name
        folder.mkdir()
        with self._table:
            self._uploads[name] = Upload(folder)
            old = [
                self._uploads.pop(next(iter(self._uploads))) for _ in range(len(self._uploads) - MOST_UPLOADS)
            ]
        for upload in old:
            shutil.rmtree(upload.folder, ignore_errors=True)
        return name

    async def put(self, name: str, path: str, body: AsyncIterator[bytes], announced: int = 0) -> int:
        """Write a file of an upload; returns its bytes. A file of that path is replaced.

        Args:
            announced: how many bytes are said to come.

        Raises:
            NotFound, TooLarge: there is no such upload; it is full.
            InputError: the path is not one that every system takes, or it is a folder.
        """
        upload, parts = self._get(name), safe_parts(path)
        inside = "/".join(parts)
        if inside not in upload.files and len(upload.files) >= UPLOAD_FILES:
            raise TooLarge(f"an upload has at most {UPLOAD_FILES:,} files: put them into a .zip archive")
        target = upload.folder.joinpath(*parts)
        temporary = upload.folder / f".part-{secrets.token_hex(8)}"
        before = upload.files.get(inside)
        if upload.n_bytes - (before or 0) + announced > UPLOAD_BYTES:
            raise _full()
        try:
            n_bytes = 0
            upload.count(inside, 0)
            with temporary.open("xb") as file:
                async for piece in body:
                    n_bytes += len(piece)
                    if upload.n_bytes + len(piece) > UPLOAD_BYTES:
                        raise _full()
                    upload.count(inside, n_bytes)
                    await run_in_threadpool(file.write, piece)  # a slow disk must not keep the others waiting
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            upload.count(inside, before if target.is_file() else None)
            if isinstance(error, OSError):
                raise InputError(f"{inside} cannot be kept ({error.strerror})") from error
            raise
        return n_bytes

    def remove(self, name: str) -> None:
        """Raises: NotFound when there is no such upload."""
        upload = self._get(name)
        with self._table:
            self._uploads.pop(name, None)
        shutil.rmtree(upload.folder, ignore_errors=True)

    def source(self, name: str) -> Path:
        """What to read: the one file or folder that was uploaded, or the folder of all.

        Raises:
            NotFound, InputError: there is no such upload; it is empty.
        """
        return _source(self._get(name).folder)

    def copy(self, name: str, run: Path) -> Path:
        """Put the text into a run's folder; returns what to read there.

        Raises:
            NotFound, InputError: as `source`, or the disk is full.
        """
        upload = self.source(name)
        target = run / SEVERAL
        try:
            if upload == self._get(name).folder:
                shutil.copytree(upload, target, copy_function=_link)
                return target
            target.mkdir(parents=True)
            inside = target / upload.name
            if upload.is_dir():
                shutil.copytree(upload, inside, copy_function=_link)
            else:
                _link(upload, inside)
        except OSError as error:
            shutil.rmtree(target, ignore_errors=True)
            raise InputError(f"the text cannot be put into {run} ({error.strerror})") from error
        return inside

    def _get(self, name: str) -> Upload:
        with self._table:
            upload = self._uploads.pop(name, None)
            if upload is None:
                raise NotFound("there is no such upload: the server was restarted since, or it was removed")
            self._uploads[name] = upload  # the last one to go
        return upload


def safe_parts(path: str) -> list[str]:
    """The parts of a path that stays inside its folder, on every system.

    Raises:
        InputError: it would not, or some system takes no such name.
    """
    if len(path) > LONGEST_PATH:
        raise InputError(f"a path has at most {LONGEST_PATH} characters: rename the file")
    parts = path.split("/")
    if len(parts) > DEEPEST:
        raise InputError(f"folders nest at most {DEEPEST} deep here: move the files up")
    for part in parts:
        shown = ascii(part[:60])
        if part in ("", ".", ".."):
            raise InputError(f"{path[:60]!a} is not a path inside the upload")
        if FORBIDDEN.search(part) or not _is_text(part):
            raise InputError(f"{shown} has characters that not every system takes in a name: rename the file")
        if part[-1] in ". " or WINDOWS_RESERVED.fullmatch(part) or part.startswith(".part-"):
            raise InputError(f"{shown} is not a name that every system takes: rename the file")
        if len(part.encode()) > LONGEST_PART:
            raise InputError(f"{shown}… is too long a name: it may have {LONGEST_PART} bytes")
    return parts


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return False
    return True


def _full() -> TooLarge:
    return TooLarge(
        f"an upload has at most {size(UPLOAD_BYTES)}: train on such a text with `pellucid train FILE`"
    )


def _source(folder: Path) -> Path:
    there = [path for path in folder.iterdir() if not path.name.startswith(".part-")]
    if not there:
        raise InputError("the upload is empty: drop a file or a folder")
    return there[0] if len(there) == 1 else folder


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
