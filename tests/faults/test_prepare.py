"""`pellucid prepare` killed at any moment: the same command goes on, and ends with the same files."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Launch = Callable[..., Any]
FILES = ("prepared.json", "tokenizer.json", "train.bin", "dev.bin", "validation.bin")


@pytest.fixture
def stories(tmp_path: Path, grammar: Callable[..., str]) -> Path:
    """Forty documents, 20,000 characters."""
    path = tmp_path / "stories.txt"
    path.write_text("<|endoftext|>\n".join(grammar(10, seed) for seed in range(40)), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == sorted(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_killed_while_saving(tokenizer: str, stories: Path, tmp_path: Path, launch: Launch):
    command = ("prepare", stories, "--tokenizer", tokenizer, "--out")
    assert launch(*command, tmp_path / "straight").wait() == 0
    expected = contents(tmp_path / "straight")
    for first in (0, 1, 2, 3, 5, 8, 13, 21, 34):
        out = tmp_path / f"killed-{first}"
        assert launch(*command, out, die_at=first).wait() == -signal.SIGKILL
        launch(*command, out, die_at=first + 7).wait()
        assert launch(*command, out).wait() in (0, 2)  # 2 where it is done already
        assert contents(out) == expected


def test_killed_at_random_moments(stories: Path, tmp_path: Path, launch: Launch):
    command = ("prepare", stories, "--tokenizer", "bpe", "--out")
    assert launch(*command, tmp_path / "straight").wait() == 0
    draw, out = random.Random(0), tmp_path / "killed"
    for _ in range(12):
        process = launch(*command, out)
        time.sleep(draw.uniform(0, 0.3))
        process.send(signal.SIGKILL)
        if process.wait() == 0:
            break
    else:
        assert launch(*command, out).wait() == 0
    assert contents(out) == contents(tmp_path / "straight")
