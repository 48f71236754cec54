"""Compiled blocks: what they compute is what the written ones do, to rounding, and resuming them is exact."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import pellucid
from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.training import compiling
from pellucid.training.config import TrainConfig
from pellucid.training.control import Control
from pellucid.training.failures import Interrupted
from pellucid.training.machine import Machine
from pellucid.training.observer import Observer, StepReport
from pellucid.training.run_folder import RunFolder
from pellucid.training.train import resume, train

SMALL: dict[str, Any] = {
    "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "d_model": 16, "context_length": 16, "batch_size": 4, "steps": 8,
    "dropout": 0.1, "device": "cpu", "precision": "float32", "qk_norm": True, "sample_tokens": 4, "eval_every": 4,
}  # fmt: skip
MACHINE = Machine("cpu", "float32", 1e11, 1e9, 1, 1 << 33)
there = shutil.which(os.environ.get("CXX", "c++"))
needs_compiler = pytest.mark.skipif(not there, reason="there is no C++ compiler")


@pytest.fixture(autouse=True)
def _distutils(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch loads setuptools, which stumbles where another test's library has loaded distutils before."""
    if sys.version_info < (3, 12):
        monkeypatch.setenv("SETUPTOOLS_USE_DISTUTILS", "stdlib")


class Stops(Observer):
    """Stops a training after a step."""

    def __init__(self, run: Path, step: int) -> None:
        self.control, self.step = Control(RunFolder(run)), step

    def stepped(self, report: StepReport) -> None:
        if report.step == self.step:
            self.control.stop()


def losses(run: Path) -> list[float]:
    return [entry["loss"] for entry in RunFolder(run).metrics() if "loss" in entry]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(pellucid.load(run).model.state_dict())


@needs_compiler
def test_compiled_training_is_the_plain_one_and_resumes_to_the_bit(stories: Path, tmp_path: Path):
    plain, compiled, stopped = (tmp_path / name for name in ("plain", "compiled", "stopped"))
    train(stories, out=plain, compile="no", **SMALL)
    train(stories, out=compiled, compile="yes", **SMALL)
    assert RunFolder(compiled).config()["training"]["compile"] == "yes"
    assert RunFolder(plain).config()["training"]["compile"] == "no"
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-5)
    torch.testing.assert_close(weights(compiled), weights(plain), rtol=1e-3, atol=1e-5)
    with pytest.raises(Interrupted):
        train(stories, out=stopped, compile="yes", observer=Stops(stopped, 5), **SMALL)
    resume(RunFolder(stopped))
    assert losses(stopped) == losses(compiled)
    for name, weight in weights(compiled).items():
        assert torch.equal(weights(stopped)[name], weight), name


def model(**settings: Any) -> Any:
    return build_model(
        ModelConfig(vocab_size=9, context_length=8, n_layers=1, n_heads=1, d_model=8, **settings)
    )


@needs_compiler
def test_what_is_long_enough_to_be_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    code = compiling.Code(model(), TrainConfig(steps=1), MACHINE)
    assert not code.may_pay(compiling.LEAST_SECONDS - 1)
    assert code.may_pay(compiling.LEAST_SECONDS)
    assert not code.may_pay(compiling.LEAST_WITH_CODE)
    code.keep()
    assert code.may_pay(compiling.LEAST_WITH_CODE)
    other = compiling.Code(model(), TrainConfig(steps=1, batch_size=2), MACHINE)
    assert not other.is_kept, "another shape is other code"
    assert not compiling.Code(model(), TrainConfig(steps=1, plain=True), MACHINE).may_pay(1e9)


def test_what_cannot_be_compiled_is_said(stories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    experts = model(feedforward="experts", n_experts=4, experts_per_token=2)
    with pytest.raises(InputError, match=r"each expert gets changes.*leave out --compile yes"):
        compiling.refuse_if_impossible(experts, "cpu")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"no C\+\+ compiler here"):
        train(stories, out=tmp_path / "run", compile="yes", **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_compiler_that_fails_ends_no_training(
    stories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fails(block: Any, **how: Any) -> Any:
        from torch._dynamo.exc import TorchDynamoException

        def call(*args: Any, **kwargs: Any) -> Any:
            raise TorchDynamoException("no such header\nand more")

        return call

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(InputError, match=r"no such header.: leave out --compile yes"):
        train(stories, out=tmp_path / "asked", compile="yes", **SMALL)
    monkeypatch.setattr(compiling.Code, "may_pay", lambda self, seconds: True)
    train(stories, out=tmp_path / "auto", **SMALL)
    assert RunFolder(tmp_path / "auto").config()["training"]["compile"] == "auto"
    assert len(losses(tmp_path / "auto")) == SMALL["steps"]


def test_settings():
    with pytest.raises(InputError, match="--compile takes auto, yes, no, not 'maybe'"):
        TrainConfig(steps=1, compile="maybe")
    with pytest.raises(InputError, match="--plain means uncompiled"):
        TrainConfig(steps=1, compile="yes", plain=True)


def test_what_is_taken_back_runs_as_written():
    small = model()
    compiling.compile_blocks(small)
    assert "forward" in vars(small.blocks[0])
    compiling.take_back(small)
    assert "forward" not in vars(small.blocks[0])
    assert small.blocks[0].forward.__func__ is type(small.blocks[0]).forward
