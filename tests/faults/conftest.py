"""Real processes to kill, and what must be the same afterwards."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clocks import clock
from forking import _server, launch, launch_all, tmp_path

RECIPE = """
[model]
n_layers = 1
n_heads = 2
d_model = 16
context_length = 16
dropout = 0.1
[training]
batch_size = 4
accumulate = 2
sample_tokens = 4
precision = "float32"
device = "cpu"
"""

__all__ = ["_server", "clock", "launch", "launch_all", "tmp_path"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Bits:
    """All of a run that must not depend on how often it was stopped; torch's random state is with the optimizer."""

    last: int
    files: dict[str, bytes]
    counters: dict[str, Any]
    steps: list[tuple[int, float, float, float]]
    evaluations: list[tuple[int, float, float, bool]]
    samples: str


def bits(run: Path) -> Bits:
    from pellucid.training.run_folder import RunFolder

    folder = RunFolder(run)
    last = folder.checkpoints.steps()[-1]
    checkpoint = folder.checkpoints.path(last)
    trainer = json.loads((checkpoint / "trainer.json").read_text())
    records = folder.metrics()
    files = (checkpoint / "model.safetensors", checkpoint / "optimizer.safetensors", folder.model_path)
    return Bits(
        last,
        {str(file.relative_to(run)): file.read_bytes() for file in files},
        {name: value for name, value in trainer["progress"].items() if name != "seconds"},
        [(r["step"], r["loss"], r["rate"], r["gradient_norm"]) for r in records if "loss" in r],
        [(r["step"], r["dev_loss"], r["train_sample_loss"], r["best"]) for r in records if "dev_loss" in r],
        folder.samples_path.read_text(encoding="utf-8"),
    )


@pytest.fixture(scope="session")
def bits_of() -> Callable[[Path], Bits]:
    return bits
