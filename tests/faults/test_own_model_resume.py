"""A model of a person's own code: killed and resumed, it has the bits of one that was never stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_models import write_lstm

Launch = Callable[..., Any]


def test_killed_and_resumed_without_its_file(
    launch: Launch,
    text_file: Path,
    tmp_path: Path,
    bits_of: Callable[[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    file = write_lstm(tmp_path)
    command = [
        *("train", text_file, "--model", f"{file}:LSTM,hidden=12,dropout=0.2", "--steps", 40, "--seed", 3),
        *(
            "--context-length",
            16,
            "--batch-size",
            4,
            "--checkpoint-every",
            4,
            "--eval-every",
            20,
            "--device",
            "cpu",
        ),
    ]
    straight = launch(*command, "--out", tmp_path / "straight")
    assert straight.wait() == 0, straight.messages()
    run = tmp_path / "run"
    process = launch(*command, "--out", run, hold_at=30)
    process.until_step(run, 22)
    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.messages()
    file.unlink()
    process = launch("train", "--resume", "--out", run)
    assert process.wait() == 0, process.messages()
    assert bits_of(run) == bits_of(tmp_path / "straight")
