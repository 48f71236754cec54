"""No float64 anywhere (MPS has none), and bfloat16 autocast stays near float32."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pellucid.model.attention import ATTEND
from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model, next_token_loss

MODELS: dict[str, dict[str, Any]] = {
    "learned, layernorm": {"positions": "learned", "norm": "layernorm", "activation": "gelu", "dropout": 0.1},
    "rotary, rmsnorm, QK-norm": {
        "qk_norm": True,
        "n_kv_heads": 2,
        "activation": "swiglu",
        "tie_embeddings": True,
    },
}


class FindDouble(TorchDispatchMode):
    """Notes every operation that reads or makes a float64 tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if leaf is torch.float64 or (isinstance(leaf, Tensor) and leaf.dtype == torch.float64):
                self.found.append(str(func))
        return out


def test_the_finder_finds():
    with FindDouble() as finder:
        torch.zeros(2).double()
    assert finder.found


@pytest.mark.parametrize("attend", ATTEND)
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_nothing_is_float64(settings, attend):
    ids, real = torch.randint(65, (2, 16)), torch.arange(16) >= torch.tensor([[0], [5]])
    with FindDouble() as finder:
        model = build_model(ModelConfig(vocab_size=65, **settings), attend)
        next_token_loss(model(ids), ids).backward()
        next_token_loss(model(ids, real=real, documents=real.long()), ids).backward()
        with torch.no_grad():
            model(ids[:, :1], cache=KVCache(model.config, batch=2))
    assert finder.found == []


@pytest.mark.parametrize("padded", [False, True], ids=["plain", "padded"])
@pytest.mark.parametrize("attend", ATTEND)
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_under_bfloat16_autocast_loss_and_gradients_stay_near(settings, attend, padded):
    model = build_model(ModelConfig(vocab_size=65, **settings), attend).eval()
    ids = torch.randint(65, (4, 33))
    real = torch.arange(32) >= torch.tensor([[0], [5], [31], [8]]) if padded else None
    losses, gradients = [], []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = next_token_loss(model(ids[:, :-1], real=real), ids[:, 1:])
        loss.backward()
        losses.append(loss.item())
        found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        gradients.append(torch.cat([gradient.flatten() for gradient in found]))
        assert loss.dtype == torch.float32
        assert gradients[-1].dtype == torch.float32
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_under_autocast_torch_has_nothing_to_warn_of(settings):
    """Of a norm of bfloat16 heads with float32 weights, say: it would reach a person's terminal."""
    model = build_model(ModelConfig(vocab_size=65, **settings))
    torch.set_warn_always(True)  # else only the first of a process is heard
    try:
        with warnings.catch_warnings(), torch.autocast("cpu", torch.bfloat16):
            warnings.simplefilter("error")
            next_token_loss(
                model(torch.randint(65, (2, 16))), torch.zeros(2, 16, dtype=torch.long)
            ).backward()
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("attend", ATTEND)
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
@torch.no_grad()
def test_a_model_turned_bfloat16_runs_and_decodes(settings, attend):
    model = build_model(ModelConfig(vocab_size=65, **settings), attend).eval()
    ids = torch.randint(65, (2, 16))
    expected = model(ids)
    model.bfloat16()
    cache = KVCache(model.config, batch=2, dtype=torch.bfloat16)
    logits = torch.cat([model(chunk, cache=cache) for chunk in ids.split((9, 1, 6), dim=1)], dim=1)
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(logits.float(), expected, rtol=0.1, atol=0.05)
