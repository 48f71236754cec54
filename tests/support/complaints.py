"""What a person is told who got something wrong, and what is left of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the lock, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in folder.rglob("*")
        if path.name != ".lock"
    }


def check(result: Any, *remedy: str, code: int = 2) -> str:
    """One sentence, on one line, the last; returns it."""
    assert result.code == code, result.err
    complaints = [line for line in result.err.splitlines() if line.startswith("pellucid: ")]
    assert len(complaints) == 1, result.err
    sentence = complaints[0].removeprefix("pellucid: ")
    assert result.err.rstrip().endswith(sentence), "it comes last"
    assert "Traceback" not in result.err
    assert not re.match(r"\w+Error\b", sentence), "names of exceptions are not for people"
    assert 20 < len(sentence) < 600
    for words in remedy:
        assert words in sentence
    return sentence
