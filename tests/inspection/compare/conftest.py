"""A small text to compare on, and comparisons so small that they take a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.inspection.compare.asked import Asked
from pellucid.inspection.compare.compare import Done, compare
from pellucid.inspection.compare.material import Material, read_material

SMALL: dict[str, Any] = {"d_model": 16, "context_length": 16, "batch_size": 4}
Compare = Callable[..., Done]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_probe: object) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_compare(text_file: Path) -> Compare:
    """Compare `names` for a few steps."""

    def run(*names: str, steps: int = 4, seeds: int = 1, **more: Any) -> Done:
        text, flags = more.pop("text", (str(text_file),)), more.pop("flags", SMALL)
        return compare(Asked(names, text, steps, 0.0, seeds, flags), device="cpu", **more)

    return run


@pytest.fixture
def material(text_file: Path) -> Material:
    return read_material([str(text_file)], "shakespeare", lambda _: None)
