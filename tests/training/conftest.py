"""Trainers on tiny models and token streams, without a run's ceremony."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clocks import clock
from forking import _server, launch, launch_all

from pellucid.model.config import ModelConfig
from pellucid.text.documents import Corpus, Document
from pellucid.text.tokenizers.tokenizer import build_tokenizer
from pellucid.training.config import TrainConfig
from pellucid.training.data import TrainingData, split_corpus, tokenise
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine, deterministic
from pellucid.training.observer import Observer
from pellucid.training.plan import build
from pellucid.training.run_folder import create_run

__all__ = ["_server", "clock", "launch", "launch_all"]

MakeTrainer = Callable[..., Trainer]
MODEL = {"n_layers": 1, "n_heads": 2, "d_model": 16, "context_length": 16}
TRAINING = {"batch_size": 8, "steps": 20, "sample_tokens": 4}


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    with deterministic("cpu"):
        yield


@pytest.fixture(scope="session")
def data(grammar: Callable[..., str]) -> TrainingData:
    corpus = Corpus("farm", (Document(grammar(200), "farm"),))
    splits = split_corpus(corpus, seed=0, dev_fraction=0.05)
    tokenizer, _ = build_tokenizer("char", [document.text for document in splits.train])
    return tokenise(corpus, splits, tokenizer)


@pytest.fixture
def make_trainer(data: TrainingData, tmp_path: Path) -> MakeTrainer:
    """A trainer in a new run folder; keyword arguments are settings of the model or the training."""

    def make(**settings: Any) -> Trainer:
        model_settings = {k: v for k, v in settings.items() if k in ModelConfig.__dataclass_fields__}
        training = {k: v for k, v in settings.items() if k not in model_settings}
        config = TrainConfig(**{**TRAINING, **training})
        model_config = ModelConfig(vocab_size=data.tokenizer.vocab_size, **{**MODEL, **model_settings})
        machine = Machine("cpu", "float32", 1e9, 1e9, 1, 1 << 40)
        model = build(model_config, config, machine)
        run = create_run(tmp_path / f"run-{len(list(tmp_path.iterdir()))}", "farm")
        return Trainer(run, model, data, config, machine, config.steps, Observer())

    return make


@pytest.fixture
def stories(tmp_path: Path, grammar: Callable[..., str]) -> Path:
    """Sixty documents, long and short, some with characters of several bytes."""
    path = tmp_path / "stories.txt"
    texts = [grammar(1 + 3 * (seed % 7), seed) + "Ëntchen 🦆.\n" * (seed % 2) for seed in range(60)]
    path.write_text("\n<|endoftext|>\n".join(texts), encoding="utf-8")
    return path
