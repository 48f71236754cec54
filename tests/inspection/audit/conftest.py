"""Runs that have learned a little text by heart, to be audited."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

TRAINING = {
    "n_layers": 2,
    "n_heads": 2,
    "d_model": 48,
    "context_length": 64,
    "batch_size": 16,
    "lr": 8e-3,
    "dev_fraction": 0.0,  # the last weights are the run's own, however much was learned by heart
    "sample_tokens": 0,
    "device": "cpu",
    "precision": "float32",
}
WORDS = (
    *("red", "blue", "green", "gold", "old", "new", "tall", "small", "quick", "calm"),
    *("cat", "dog", "owl", "bee", "pig", "cow", "hen", "fox", "elk", "ant"),
)


def secrets(n: int, seed: int = 0) -> list[str]:
    """Lines of words drawn at random: only who learned a line by heart knows how it goes on."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=6)) + "." for _ in range(n)]


@pytest.fixture(scope="session")
def _by_heart(tmp_path_factory: pytest.TempPathFactory, quick_probe: object) -> Path:
    from pellucid.training.train import train

    folder = tmp_path_factory.mktemp("by-heart")
    text = folder / "secrets.txt"
    text.write_text("\n".join(secrets(30)) + "\n", encoding="utf-8")
    train(text, out=folder / "run", steps=150, tokenizer="char", **TRAINING)
    return folder / "run"


@pytest.fixture
def by_heart(_by_heart: Path, tmp_path: Path) -> Path:
    """A run that has read 900 characters more than a hundred times."""
    return Path(shutil.copytree(_by_heart, tmp_path / "runs" / "secrets-1"))


@pytest.fixture(scope="session")
def chat_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty questions and answers, in the neutral form."""
    path = tmp_path_factory.mktemp("chat") / "chat.jsonl"
    lines = [
        {"messages": [{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": said}]}
        for n, said in enumerate(secrets(60, seed=1))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tuned(_by_heart: Path, chat_file: Path) -> Callable[[Path, bool], Path]:
    """Fine-tune the run on the chat, all of it or by adapters."""

    def tune(out: Path, with_adapters: bool) -> Path:
        from pellucid.training.conversations import ChatOptions
        from pellucid.training.finetune import LoRA, finetune

        finetune(
            _by_heart,
            chat_file,
            chats=ChatOptions(anyway=True),
            lora=LoRA(rank=4) if with_adapters else None,
            out=out,
            steps=12,
            sample_tokens=0,
            device="cpu",
            precision="float32",
        )
        return out

    return tune
