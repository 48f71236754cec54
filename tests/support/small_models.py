"""Settings of small models that between them have every part."""

from __future__ import annotations

from typing import Any

MODELS: dict[str, dict[str, Any]] = {
    "learned positions, LayerNorm, GELU, biases": {
        "positions": "learned",
        "norm": "layernorm",
        "activation": "gelu",
        "bias": True,
    },
    "rotary, grouped queries, RMSNorm, SwiGLU": {"n_kv_heads": 2, "activation": "swiglu"},
    "experts": {"feedforward": "experts", "n_experts": 4, "experts_per_token": 2, "shared_expert": "gated"},
}
OTHERS: dict[str, dict[str, Any]] = {
    "sinusoidal, post-norm, multi-query": {
        "positions": "sinusoidal",
        "norm_position": "post",
        "norm": "layernorm",
        "n_kv_heads": 1,
        "activation": "relu",
    },
    "all extras": {
        "qk_norm": True,
        "value_residual": True,
        "x0_residual": True,
        "tie_embeddings": True,
        "logit_softcap": 5.0,
        "n_kv_heads": 2,
        "head_dim": 12,
    },
    "much left out": {"positions": "none", "norm": "none", "feedforward": "none", "scale": "none"},
    "no mask, fixed norms": {"mask": "none", "norm": "rmsnorm_fixed", "activation": "gelu_tanh"},
    "no residual": {"residual": "none"},
    "attention alone, no final norm": {"residual": "none", "feedforward": "none", "final_norm": False},
    "experts by bias": {"feedforward": "experts", "balance": "bias", "shared_expert": "plain", "bias": True},
    "bigram": {"architecture": "bigram"},
}
