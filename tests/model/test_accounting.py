"""What the configuration says a model holds and costs is what it holds and costs."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pellucid.model.accounting import flops_per_token, kv_cache_bytes, n_params
from pellucid.model.cache import KVCache
from pellucid.model.config import CHOICES, ModelConfig
from pellucid.model.transformer import build_model

CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "tied": {"tie_embeddings": True},
    "biases": {"bias": True},
    "biases, gated": {"bias": True, "activation": "swiglu"},
    "gated": {"activation": "swiglu"},
    "grouped": {"n_kv_heads": 2},
    "multi-query": {"n_kv_heads": 1, "bias": True},
    "own head size": {"head_dim": 48, "n_kv_heads": 2},
    "QK-norm": {"qk_norm": True, "n_kv_heads": 2},
    "learned": {"positions": "learned"},
    "learned, layernorm": {"positions": "learned", "norm": "layernorm"},
    "layernorm": {"norm": "layernorm"},
    "own feed-forward size": {"d_ff": 100},
    "all": {
        "positions": "learned",
        "norm": "layernorm",
        "activation": "swiglu",
        "bias": True,
        "qk_norm": True,
        "n_kv_heads": 2,
        "head_dim": 16,
        "tie_embeddings": True,
    },
    "sinusoidal": {"positions": "sinusoidal"},
    "no positions": {"positions": "none"},
    "post-norm": {"norm_position": "post"},
    "norm without scale": {"norm": "rmsnorm_fixed"},
    "no norm": {"norm": "none"},
    "no feed-forward": {"feedforward": "none"},
    "no feed-forward, post-norm": {"feedforward": "none", "norm_position": "post", "norm": "layernorm"},
    "attention alone": {"feedforward": "none", "residual": "none", "norm": "none"},
    "no final norm": {"final_norm": False, "norm": "layernorm"},
    "residual scalars": {"value_residual": True, "x0_residual": True},
    "experts": {"feedforward": "experts", "n_experts": 5, "experts_per_token": 2},
    "experts, biases and one for all": {"feedforward": "experts", "shared_expert": "plain", "bias": True},
    "experts and a gated one for all": {
        "feedforward": "experts",
        "shared_expert": "gated",
        "balance": "bias",
    },
    "bigram": {"architecture": "bigram"},
}
MINI: dict[str, Any] = {
    "vocab_size": 65,
    "context_length": 128,
    "n_layers": 4,
    "n_heads": 4,
    "d_model": 128,
    "d_ff": 512,
    "positions": "learned",
    "norm": "layernorm",
    "activation": "relu",
    "tie_embeddings": True,
}


@pytest.mark.parametrize("settings", CONFIGS.values(), ids=CONFIGS)
def test_parameters_are_counted_right(settings):
    config = ModelConfig(vocab_size=97, **settings)
    model = build_model(config)
    assert n_params(config) == sum(parameter.numel() for parameter in model.parameters())


def test_mini_has_813_440_parameters():
    assert n_params(ModelConfig(**MINI)) == 813_440


@pytest.mark.parametrize("length", [16, 64])
@pytest.mark.parametrize(
    "name", ["default", "gated", "grouped", "own head size", "learned, layernorm", "all"]
)
def test_flops_are_those_that_torch_counts(name, length):
    """Torch counts the whole square of scores, the hidden half too; biases and norms are the 1 % left.

    The explicit core, because torch does not count its own fused kernel on a CPU.
    """
    config = ModelConfig(vocab_size=97, **CONFIGS[name])
    model = build_model(config, "explicit")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(2, length, dtype=torch.long))
    counted = counter.get_total_flops() / (2 * length)
    hidden_half = config.n_layers * 2 * length * config.n_heads * config.head_dim
    assert flops_per_token(config, length) + hidden_half == pytest.approx(counted, rel=0.01)


def test_a_training_step_costs_three_forward_passes():
    config = ModelConfig(vocab_size=97)
    model = build_model(config, "explicit")
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, 64, dtype=torch.long)).sum().backward()
    hidden_half = config.n_layers * 2 * 64 * config.n_heads * config.head_dim
    per_token = 3 * (flops_per_token(config, 64) + hidden_half)
    assert counter.get_total_flops() / 128 == pytest.approx(per_token, rel=0.01)


@pytest.mark.parametrize("settings", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("batch", "length"), [(1, None), (3, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cache_takes_the_bytes_foretold(settings, batch, length, dtype):
    config = ModelConfig(vocab_size=97, **settings)
    cache = KVCache(config, batch, length, dtype=dtype)
    assert kv_cache_bytes(config, batch, length, dtype.itemsize) == cache.keys.nbytes + cache.values.nbytes


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_of_a_part_is_counted(name: str):
    """One that is added to the tables is not forgotten here."""
    needed = {"feedforward": "experts"} if name in ("shared_expert", "balance") else {}
    for value in set(get_args(CHOICES[name])) - {"own"}:  # a person's own code says itself what it costs
        config = ModelConfig(vocab_size=50, context_length=16, d_model=32, **{**needed, name: value})
        assert n_params(config) == sum(p.numel() for p in build_model(config).parameters()), value
