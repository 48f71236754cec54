"""The run's journal: what was decided, written and synced to disk before it is acted on.

One JSON object a line. A line torn by a crash was never acted on, so it is dropped when the journal is opened.
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
        if path.exists():
            self._read()

    def _read(self) -> None:
        good = 0
        data = self.path.read_bytes()
        for line in data.splitlines(keepends=True):
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(entry, dict):
                break
            self.entries.append(entry)
            good += len(line)
        if good < len(data):
            with self.path.open("r+b") as file:
                file.truncate(good)
                os.fsync(file.fileno())

    def write(self, event: str, **details: Any) -> dict[str, Any]:
        """Append an entry; on return it is on the disk."""
        entry = {"event": event, **details}
        with self.path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)
        return entry

    def of(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry.get("event") == event]
