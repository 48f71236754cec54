"""Folders in which files come and go, and files that somebody reads while they are replaced."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from pellucid.training.files import bytes_below, read_json, write_json


def test_a_folder_is_measured_while_others_take_away_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "deeper" / "weights").write_bytes(b"12345")
    (tmp_path / "config").write_bytes(b"123")
    assert bytes_below(tmp_path) == 8
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            (tmp_path / "control" / "wishes").mkdir(parents=True)
            (tmp_path / "control" / "wishes" / "stop").touch()
            shutil.rmtree(tmp_path / "control")

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        assert {bytes_below(tmp_path) for _ in range(3000)} == {8}
    finally:
        over.set()
        other.join()


def test_a_file_is_replaced_although_somebody_reads_it_for_a_moment(tmp_path: Path) -> None:
    """On Windows that takes patience."""
    path = tmp_path / "config.json"
    write_json(path, {"step": 1})
    with path.open("rb") as reading:
        closing = threading.Timer(0.2, reading.close)
        closing.start()
        try:
            write_json(path, {"step": 2})
        finally:
            closing.join()
    assert read_json(path) == {"step": 2} and [each.name for each in tmp_path.iterdir()] == ["config.json"]


def test_no_folder_takes_nothing(tmp_path: Path) -> None:
    assert bytes_below(tmp_path / "gone") == 0
