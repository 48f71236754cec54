"""Exports, written where a test stands and read back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.record import Chats


def as_bytes(content: Any) -> bytes:
    """Bytes and text as they are, and all else as JSON."""
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).encode()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Chats]:
    """Reads one file of that content."""

    def read_file(content: Any, name: str = "result.json", **options: Any) -> Chats:
        path = tmp_path / name
        path.write_bytes(as_bytes(content))
        return read_chats(path, **options)

    return read_file


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, Any]], Path]:
    """A folder `export` of files."""

    def make(files: Mapping[str, Any]) -> Path:
        for name, content in files.items():
            path = tmp_path / "export" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_bytes(content))
        return tmp_path / "export"

    return make


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """A zip archive of files."""

    def make(files: Mapping[str, Any], name: str = "export.zip") -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            for member, content in files.items():
                file.writestr(member, as_bytes(content))
        return tmp_path / name

    return make
