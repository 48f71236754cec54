"""Files that grow at their end, followed by position: what comes new, exactly once, also after a rewind.

A resumed training cuts its records back to its checkpoint and writes on. Who has read further than that has seen
what no longer holds. So a follower keeps, with its position, a checksum of the last bytes before it, and reads those
again before it goes on: where they differ, what it knows is void.
"""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from pathlib import Path
from typing import Any

OVERLAP = 512  # bytes before the position that are compared; a line of metrics has about 200
MOST_BYTES = 1 << 20  # that are read at once
HEADING = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))--- step (\d{1,15}) ---\r?\n")


@dataclasses.dataclass(frozen=True)
class Place:
    """How far a file was read, and the checksum (CRC-32) of up to `OVERLAP` bytes before that."""

    position: int = 0
    checksum: int = 0

    def __str__(self) -> str:
        return f"{self.position:x}.{self.checksum:x}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Raises: ValueError when `text` is not what `str` gives."""
        if not re.fullmatch(r"[0-9a-f]{1,12}\.[0-9a-f]{1,8}", text):
            raise ValueError(text)
        position, checksum = (int(part, 16) for part in text.split("."))
        return cls(position, checksum)


class Rewound(Exception):
    """The file no longer holds what was read of it."""


class Tail:
    """What comes new in a file after `place`."""

    def __init__(self, path: Path, place: Place = Place()) -> None:
        self.path, self.place = path, place
        self._seen: tuple[int, int] | None = None  # size and time of change when it was last read to its end
        self._before = b""  # the bytes that the checksum is of

    def read(self) -> bytes:
        """The bytes after the place, up to `MOST_BYTES`; the place stays.

        Raises:
            Rewound: what lies before the place has changed, or is gone.
        """
        try:
            status = self.path.stat()
            state = (status.st_size, status.st_mtime_ns)
            if state == self._seen:
                return b""
            position = self.place.position
            if status.st_size < position:
                raise Rewound
            start = max(0, position - OVERLAP)
            with self.path.open("rb") as file:
                file.seek(start)
                overlap = file.read(position - start)
                if zlib.crc32(overlap) != self.place.checksum:
                    raise Rewound
                fresh = file.read(MOST_BYTES)
        except OSError:
            if self.place.position:
                raise Rewound from None
            return b""
        self._seen = state if len(fresh) < MOST_BYTES else None
        self._before = overlap
        return fresh

    def take(self, done: bytes) -> Place:
        """The bytes after the place that have been dealt with; returns the new place."""
        self._before = (self._before + done)[-OVERLAP:]
        self.place = Place(self.place.position + len(done), zlib.crc32(self._before))
        return self.place


class Lines(Tail):
    """The records of a metrics.jsonl."""

    def next(self) -> list[tuple[Place, dict[str, Any]]]:
        """Whole new lines, each with the place after it; a torn last one is waited for.

        Raises:
            Rewound: see `Tail.read`.
        """
        fresh, found, start = self.read(), [], 0
        while (end := fresh.find(b"\n", start) + 1) > 0:
            line, start = fresh[start:end], end
            place = self.take(line)
            try:
                record = json.loads(line, parse_constant=lambda _: None)  # JSON knows no NaN
            except ValueError:  # damaged: the rest may be whole
                continue
            if isinstance(record, dict) and isinstance(record.get("step"), int):
                found.append((place, record))
        return found


class Samples(Tail):
    """The samples of a samples.txt."""

    def __init__(self, path: Path, place: Place = Place()) -> None:
        super().__init__(path, place)
        self._waiting = b""

    def next(self) -> list[tuple[Place, dict[str, Any]]]:
        """Whole new samples as {"step", "text"}, each with the place after it.

        The last one has no end of its own: it is whole when a blank line ends it and nothing came after it since
        the look before.

        Raises:
            Rewound: see `Tail.read`.
        """
        fresh = self.read() or self._waiting
        grew, self._waiting = fresh != self._waiting, fresh
        headings = list(HEADING.finditer(fresh))
        ends = [heading.start() for heading in headings[1:]]
        if headings and not grew and fresh.endswith((b"\n\n", b"\r\n\r\n")):
            ends.append(len(fresh))
        found, done = [], 0
        for heading, end in zip(headings, ends, strict=False):
            place = self.take(fresh[done:end])
            done = end
            text = fresh[heading.end() : end].decode("utf-8", "replace").replace("\r\n", "\n")
            found.append((place, {"step": int(heading[1]), "text": text.removesuffix("\n\n")}))
        if done:
            self._waiting = fresh[done:]
        return found
