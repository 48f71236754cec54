"""Small models and tokenizers: random, but with opinions, so that a wrong key or position shows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch

from pellucid.generation.engine import Engine
from pellucid.model.bigram import Bigram
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.tokenizers.bpe import BPETokenizer, train_bpe
from pellucid.text.tokenizers.char import CharTokenizer

MakeModel = Callable[..., LanguageModel]
MakeChain = Callable[..., Engine]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # these models are too small to share, and other work may hold the other core
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def chars() -> CharTokenizer:
    return CharTokenizer.from_texts(["abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ:.,!?'\n"])


@pytest.fixture(scope="session")
def bpe() -> BPETokenizer:
    text = "ROMEO:\nBut soft, what light through yonder window breaks? 👩‍🚀🇩🇪 cafe\u0301 naïve.\n\n" * 20
    return train_bpe([text], 300)


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    def make(vocab_size: int, seed: int = 0, attend: str = "fused", **config: object) -> LanguageModel:
        sizes = {"context_length": 16, "n_layers": 2, "n_heads": 4, "d_model": 32} | config
        torch.manual_seed(seed)
        model = build_model(ModelConfig(vocab_size=vocab_size, **sizes), attend)  # pyright: ignore
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    weight.mul_(6)
        return model

    return make


@pytest.fixture(scope="session")
def make_chain(chars: CharTokenizer) -> MakeChain:
    """An engine around a bigram model that always writes one text after its first character.

    Each character of the text must be a different one; after the last comes the end of text.
    """

    def make(text: str) -> Engine:
        model = Bigram(ModelConfig(vocab_size=chars.vocab_size, architecture="bigram"))
        ids = [*chars.encode(text).tolist(), chars.end_of_text]
        with torch.no_grad():
            for token, following in itertools.pairwise(ids):
                model.table.weight[token, following] = 50.0
        return Engine(model, chars)

    return make
