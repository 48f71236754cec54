"""A place of one's own, and folders of small published models as `transformers` saves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from published import SIZES, randomise
from published_models import save as save_model

transformers = pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves a model and a tokenizer as `transformers` does; returns the folder."""

    def to_folder(
        model: Any, engine: tokenizers.Tokenizer | None = None, name: str = "model", **how: Any
    ) -> Path:
        return save_model(model, tmp_path / name, engine, **how)

    return to_folder


@pytest.fixture
def llama(save: Save) -> Path:
    """The folder of a small Llama."""
    return save(randomise(transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))))


@pytest.fixture
def edit() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Changes a JSON file."""

    def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
        values = json.loads(path.read_text(encoding="utf-8"))
        how(values)
        path.write_text(json.dumps(values), encoding="utf-8")

    return change
