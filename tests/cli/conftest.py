"""A folder of one's own to type commands in, with a text and a finished run."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def farm(here: Path, text_file: Path) -> Path:
    """`farm.txt`, in the current folder."""
    path = here / "farm.txt"
    path.write_text(text_file.read_text(encoding="utf-8"), encoding="utf-8")
    return path
