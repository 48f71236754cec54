"""The run's journal: what was decided, written and synced to disk before it is acted on.

One JSON object a line. A line torn by a crash was never acted on, so it is not read, and the next line written
takes its place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        self._whole = 0  # bytes up to the last whole line
        if path.exists():
            self._read()

    def _read(self) -> None:
        for line in self.path.read_bytes().splitlines(keepends=True):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(entry, dict):
                break
            self.entries.append(entry)
            self._whole += len(line)

    def write(self, event: str, **details: Any) -> dict[str, Any]:
        """Append an entry; on return it is on the disk."""
        entry = {"event": event, **details}
        line = json.dumps(entry).encode() + b"\n"
        with self.path.open("ab") as file:
            file.truncate(self._whole)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._whole += len(line)
        self.entries.append(entry)
        return entry

    def of(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry.get("event") == event]
