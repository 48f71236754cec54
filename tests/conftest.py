"""What the tests of training, faults and the command line share: one thread, a small text, small fast runs."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in the processes tests start
os.environ["PELLUCID_NO_CACHE"] = "1"  # what tests learn from is not for the user's cache

import dataclasses
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is no fault of what is tested
settings.register_profile("pellucid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pellucid")

TINY: dict[str, Any] = {
    "steps": 24,
    "n_layers": 1,
    "n_heads": 2,
    "d_model": 16,
    "context_length": 16,
    "batch_size": 4,
    "eval_every": 8,
    "checkpoint_every": 8,
    "sample_tokens": 4,
    "device": "cpu",
    "precision": "float32",
}

Train = Callable[..., Any]
RunCli = Callable[..., "Result"]


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


def sentences(n: int, seed: int = 0) -> str:
    """A text by a small grammar: the second half of a sentence follows from its first, so context pays."""
    draw = random.Random(seed)
    animals = {"cat": "purrs", "dog": "barks", "cow": "moos", "owl": "hoots", "bee": "hums", "pig": "grunts"}
    places = ("in the barn", "by the river", "under the old oak", "on the hill", "behind the mill")
    lines = []
    for _ in range(n):
        animal = draw.choice(list(animals))
        lines.append(f"The {animal} {draw.choice(places)} sees the moon and {animals[animal]}.\n")
    return "".join(lines)


@pytest.fixture(scope="session")
def grammar() -> Callable[..., str]:
    return sentences


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 15,000 characters."""
    path = tmp_path_factory.mktemp("text") / "farm.txt"
    path.write_text(sentences(300), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Settings of a training that takes well under a second."""
    return dict(TINY)


@pytest.fixture(scope="session")
def quick_probe() -> Iterator[Callable[..., float]]:
    """Let the probe be instant: measuring bfloat16 takes a second where it is slow. Gives the real one."""
    from pellucid.training import machine

    real = machine.matmul_flops
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "matmul_flops", lambda *_: 2e10)
        yield real


@pytest.fixture(scope="session")
def train_tiny(text_file: Path, quick_probe: object) -> Train:
    """Train in this process; keyword arguments are settings laid over the tiny ones."""

    def train(out: Path, sources: Any = None, **settings: Any) -> Any:
        from pellucid.training.train import train

        budgets = {"minutes", "steps", "epochs", "train_tokens"}
        kept = {k: v for k, v in TINY.items() if not (k == "steps" and budgets & settings.keys())}
        return train(sources or text_file, out=out, **{**kept, **settings})

    return train


@pytest.fixture(scope="session")
def _finished_run(train_tiny: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "run"
    train_tiny(path, dropout=0.1)
    return path


@pytest.fixture
def finished_run(_finished_run: Path, tmp_path: Path) -> Path:
    """A finished run of 24 steps with checkpoints at 16 and 24, to do with as a test likes."""
    return Path(shutil.copytree(_finished_run, tmp_path / "runs" / "farm-1"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], quick_probe: object) -> RunCli:
    """Run a command in this process."""

    def run(*arguments: object) -> Result:
        from pellucid.cli.main import main

        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse, after --help
            code = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
