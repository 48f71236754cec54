"""Zip archives, read in memory and within bounds: nothing is written, so no name in them can do harm."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.errors import InputError

MOST_MEMBERS = 100_000
MOST_UNPACKED = 2 << 30  # bytes, all members that are read together
MOST_RATIO = 200  # unpacked to packed; text has 3 to 10, and the most that deflate can is 1,032
SMALL = 1 << 20  # bytes; the ratio of smaller members does not matter
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, LookupError),
    *(struct.error, RuntimeError),  # the last also of a compression that Python does not know
)


@dataclass
class Budget:
    """What may still be unpacked, by an archive and those inside it together."""

    most: int = field(default_factory=lambda: MOST_UNPACKED)
    n_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_bytes = self.most


class Archive:
    """A zip archive, and what is in it."""

    def __init__(self, data: bytes | Path, name: str, budget: Budget | None = None) -> None:
        """Raises InputError if `data`, or the file there, is no zip archive, is damaged, or has too many members."""
        self.name = name
        self._budget = budget or Budget()
        try:
            self._zip = zipfile.ZipFile(data if isinstance(data, Path) else io.BytesIO(data))
        except DAMAGED as error:
            raise InputError(
                f"{name} cannot be unpacked, since it is not a zip archive, is cut short or damaged ({error}): "
                "get it again, or unpack it and give the files inside"
            ) from None
        infos = self._zip.infolist()
        if len(infos) > MOST_MEMBERS:
            raise InputError(
                f"{name} holds {len(infos):,} files, and archives of up to {MOST_MEMBERS:,} are read: "
                "unpack it and give the folder"
            )
        self._infos = {_name(info): info for info in infos if not info.is_dir()}

    @property
    def members(self) -> list[str]:
        """The paths of the files inside, in the archive's order."""
        return list(self._infos)

    def __contains__(self, member: str) -> bool:
        return member in self._infos

    def read(self, member: str) -> bytes:
        """The bytes of `member`.

        Raises:
            InputError: there is no such member, or it is encrypted, damaged, or suspiciously large.
        """
        info, shown = self._infos.get(member), f"{self.name}/{member}"
        if info is None:
            raise InputError(f"{shown} is missing: the file is not whole, or not what its name says")
        if info.flag_bits & 1:
            raise InputError(f"{shown} is protected by a password: unpack it and give the files inside")
        if info.file_size > max(SMALL, MOST_RATIO * info.compress_size):
            raise InputError(
                f"{shown} unpacks to {info.file_size / max(1, info.compress_size):,.0f} times its size, more "
                f"than text does, so it is not read: if it is what you want, unpack it and give the file inside"
            )
        if info.file_size > self._budget.n_bytes:
            raise InputError(
                f"{shown} is left: {self._budget.most >> 20:,} MiB are unpacked of one archive, and no more"
            )
        try:
            data = self._zip.read(info)
        except DAMAGED as error:
            raise InputError(f"{shown} cannot be unpacked ({error}): get the file again") from None
        self._budget.n_bytes -= len(data)
        return data


def _name(info: zipfile.ZipInfo) -> str:
    """The name, in UTF-8 even where the archive does not say that it is, else in cp437 as the format says."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename
