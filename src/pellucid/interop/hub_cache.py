"""The cache of Hugging Face's hub on this disk: `models--OWNER--NAME`, with each version a folder under snapshots."""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.errors import InputError
from pellucid.interop.opening import read_whole

PREFIX, SNAPSHOTS = "models--", "snapshots"
MOST_REFERENCE = 256  # bytes


def snapshot(folder: Path) -> Path:
    """The version of a model in the cache that its main branch is at, or its only one; any other folder as it is.

    Raises:
        InputError: there are several, or none.
    """
    if not (folder.name.startswith(PREFIX) and (folder / SNAPSHOTS).is_dir()):
        return folder
    versions = {path.name: path for path in sorted((folder / SNAPSHOTS).iterdir()) if path.is_dir()}
    main = folder / "refs" / "main"
    if main.is_file():
        named = versions.get(read_whole(main, MOST_REFERENCE).decode("utf-8", "replace").strip())
        if named is not None:
            return named
    if len(versions) != 1:
        there = f"give one of {', '.join(map(str, versions.values()))}" if versions else "it holds no version"
        raise InputError(f"{folder} does not say which version of the model is meant: {there}")
    return next(iter(versions.values()))


def model_name(folder: Path) -> str:
    """What a model in a folder is called: as the folder is, but in the cache as the model of that version is."""
    path = folder.resolve()
    owner = path.parent.parent.name
    if path.parent.name == SNAPSHOTS and owner.startswith(PREFIX):
        return re.split("--", owner)[-1]
    return path.name
