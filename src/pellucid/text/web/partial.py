"""What has come of a download so far, kept with what is needed to go on with it, even in another process."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

PRINTABLE = re.compile(r"[ -~]{1,500}")  # what a header may hold


@dataclass(frozen=True)
class Version:
    """Which version of a file the bytes that are here belong to."""

    validator: str  # its strong ETag, or the date of its last change
    total: int | None  # bytes of the whole file, where they were announced


class Partial:
    """The beginning of a file, beside the place where the whole file will be."""

    def __init__(self, path: Path) -> None:
        self.place = path
        self.path = path.with_name(path.name + ".part")
        self.facts = path.with_name(path.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> Version | None:
        """The version to go on with; None: there is nothing to go on with."""
        try:
            facts = json.loads(self.facts.read_text("utf-8"))
            version = Version(facts["validator"], facts["total"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if not (isinstance(version.validator, str) and PRINTABLE.fullmatch(version.validator)):
            return None
        if not isinstance(version.total, int | None) or not self.size:
            return None
        return version if version.total is None or self.size < version.total else None

    def begin(self, version: Version | None) -> None:
        """Empties the file; without a version there will be no going on with it."""
        self.discard()
        self.path.touch()
        if version:
            self.facts.write_text(json.dumps(asdict(version)), "utf-8")

    def leave(self) -> None:
        """Keeps only what can be gone on with."""
        if self.version() is None:
            self.discard()

    def discard(self) -> None:
        self.facts.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Gives the file its place and its name, in one step."""
        self.path.replace(self.place)
        self.facts.unlink(missing_ok=True)
