"""A comparison is a folder: what was asked for, every training's figures as they come, and in the end what they show.

| file | what it holds |
|---|---|
| `comparison.json` | what was asked for, the text's name and fingerprint, and, once it is done, the summary |
| `trainings.jsonl` | a line a training: contender, seed, its figures, and what it wrote |
| `table.md`, `comparison.png` | the result for a person |

Weights are not kept: a training leaves what was measured of it. What a contender wrote may quote the text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import IO, Any

from pellucid.errors import InputError
from pellucid.inspection.compare.asked import COMPARISONS
from pellucid.text.files import expand_home
from pellucid.training.files import lock, read_json, write_json

FORMAT = 1


class Folder:
    """Paths and files of a comparison."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None

    config_path = property(lambda self: self.path / "comparison.json")
    trainings_path = property(lambda self: self.path / "trainings.jsonl")
    table_path = property(lambda self: self.path / "table.md")
    plot_path = property(lambda self: self.path / "comparison.png")

    def lock(self) -> None:
        """Raises: InputError when another process works in it."""
        self._lock = lock(self.path, "comparing")

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write(self, values: dict[str, Any]) -> None:
        write_json(self.config_path, {"format": FORMAT, **values})

    def read(self) -> dict[str, Any]:
        """Raises: InputError when it is missing, damaged, or of a later format than this version reads."""
        values = read_json(self.config_path)
        if values.get("format") != FORMAT or not isinstance(values.get("asked"), dict):
            raise InputError(
                f"{self.config_path} is no comparison that this version of pellucid can go on with"
            )
        return values

    def add(self, training: dict[str, Any]) -> None:
        """Keep one training's figures; on return they are written."""
        line = json.dumps(training, ensure_ascii=False).encode("utf-8") + b"\n"
        with self.trainings_path.open("a+b") as file:
            if file.tell() and not self.trainings_path.read_bytes().endswith(b"\n"):  # torn by a crash
                file.write(b"\n")
            file.write(line)

    def trainings(self) -> dict[str, dict[str, Any]]:
        """What has been trained, by key; a line torn by a crash is passed over."""
        found: dict[str, dict[str, Any]] = {}
        if not self.trainings_path.exists():
            return found
        for line in self.trainings_path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                training = json.loads(line)
                found[training["key"]] = training
            except (ValueError, TypeError, KeyError):
                continue
        return found


def new_folder(out: str | None, name: str) -> Folder:
    """A new, locked folder: `out`, or the next free `comparisons/<name>-<n>`.

    Raises:
        InputError: `out` is not empty.
    """
    if out is None:
        taken = [number for number, _ in _numbered(name)]
        path = COMPARISONS / f"{name}-{max(taken, default=0) + 1}"
    else:
        path = expand_home(Path(out))
        if path.exists() and (not path.is_dir() or any(item.name != ".lock" for item in path.iterdir())):
            more = "add --resume to go on with it, or " if (path / "comparison.json").is_file() else ""
            raise InputError(f"{path} is there already: {more}choose another --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made ({error.strerror}): choose another --out") from None
    folder = Folder(path)
    folder.lock()
    return folder


def find_folder(out: str | None, name: str | None) -> Folder:
    """The locked folder to go on in: `out`, else the latest of that name, or of any.

    Raises:
        InputError: there is none.
    """
    if out is not None:
        path = expand_home(Path(out))
        if not (path / "comparison.json").is_file():
            raise InputError(f"{path} is no comparison: leave out --resume to begin one there")
        folder = Folder(path)
    else:
        there = [path for _, path in _numbered(name)]
        if not there:
            raise InputError("there is no comparison here to go on with: leave out --resume to begin one")
        folder = Folder(max(there, key=lambda path: (path / "comparison.json").stat().st_mtime))
    folder.lock()
    return folder


def _numbered(name: str | None) -> list[tuple[int, Path]]:
    """The comparisons under `comparisons/` of that name, or of any, with their numbers."""
    pattern = re.compile(rf"{re.escape(name) if name else '.+'}-(\d+)")
    paths = COMPARISONS.iterdir() if COMPARISONS.is_dir() else ()
    matches = ((pattern.fullmatch(path.name), path) for path in paths)
    return [
        (int(match[1]), path) for match, path in matches if match and (path / "comparison.json").is_file()
    ]
