"""What every test of the model shares: one thread, a fixed seed, and small models whose every part matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import Transformer

Build = Callable[..., Transformer]


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and other tests may be running."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def build() -> Build:
    """A small transformer in evaluation mode.

    Its weights are far larger than at a real start: with those (0.02) attention is almost uniform, and a wrong
    mask or rotation would hardly move a logit.
    """

    def build(attend: str = "fused", **settings: object) -> Transformer:
        small: dict[str, Any] = {
            "vocab_size": 19,
            "context_length": 24,
            "n_layers": 2,
            "n_heads": 4,
            "d_model": 32,
        }
        model = Transformer(ModelConfig.from_dict(small | settings), attend)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 2:
                    nn.init.normal_(parameter, std=1.5 * parameter.shape[1] ** -0.5)
                else:
                    parameter += 0.3 * torch.randn_like(parameter)
        return model.eval()

    return build
