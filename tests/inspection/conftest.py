"""Subjects to look into: small models whose every part matters, and a finished run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pellucid.api import LoadedRun, load
from pellucid.inspection.subject import Subject
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.training.run_folder import RunFolder

MakeSubject = Callable[..., Subject]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def chars() -> CharTokenizer:
    return CharTokenizer.from_texts(["abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ:.,!?'\n"])


@pytest.fixture
def make_subject(chars: CharTokenizer, tmp_path: Path) -> MakeSubject:
    """A subject of a random model with opinions; `change` may do something to the weights first."""

    def make(change: Callable[[Any], object] | None = None, seed: int = 0, **settings: Any) -> Subject:
        small = {
            "vocab_size": chars.vocab_size,
            "context_length": 24,
            "n_layers": 2,
            "n_heads": 4,
            "d_model": 32,
        }
        torch.manual_seed(seed)
        model = build_model(ModelConfig.from_dict(small | settings))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=1.5 * parameter.shape[-1] ** -0.5)
                else:
                    parameter += 0.3 * torch.randn_like(parameter)
            if change:
                change(model)
        return Subject(LoadedRun(RunFolder(tmp_path / "runs" / "small-1"), model.eval(), chars, "cpu", 7))

    return make


@pytest.fixture
def trained(finished_run: Path) -> Subject:
    return Subject(load(finished_run, "cpu"))
