"""What config.json keeps of the sources, so that a resume finds them from anywhere."""

from pathlib import Path

import pytest

from pellucid.training.data import absolute_sources


def test_paths_become_absolute_and_named_corpora_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("grimm").mkdir()
    Path("book.txt").write_text("text")
    named = ["grimm", "gutenberg:84,1342", "https://host/book.txt", "*.txt"]
    assert absolute_sources([*named, "./grimm", Path("book.txt")]) == [
        *named,
        str(tmp_path / "grimm"),
        str(tmp_path / "book.txt"),
    ]
