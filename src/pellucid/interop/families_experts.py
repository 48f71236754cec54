"""Families in which a router picks a few of many feed-forward layers: Mixtral, Granite and Qwen's."""

from __future__ import annotations

import math
from typing import Any

from pellucid.interop.families_rotary import (
    ATTENTION,
    NONE,
    QUERIES,
    Described,
    key_heads,
    llama_like,
    refuse_used_windows,
    refuse_windows,
    rope_base,
)
from pellucid.interop.names import GRANITE_NAMES, MIXTRAL_NAMES, QWEN_MOE_NAMES
from pellucid.interop.settings import Settings
from pellucid.model.config import Scale

MIXTRAL_BASE = 1_000_000.0  # where its config.json does not say


def _experts(settings: Settings, count: str, shared: str) -> dict[str, Any]:
    """What a mixture of experts adds; each has no biases."""
    return {
        "feedforward": "experts",
        "n_experts": settings.size(count),
        "experts_per_token": settings.size("num_experts_per_tok"),
        "shared_expert": shared,
    }


def mixtral(settings: Settings) -> Described:
    refuse_windows(settings, settings.get("sliding_window"))
    return llama_like(
        settings,
        names=MIXTRAL_NAMES,
        rope_base=rope_base(settings, MIXTRAL_BASE),
        norm_eps=settings.number("rms_norm_eps", 1e-5),
        **_experts(settings, "num_local_experts", "none"),
    )


def granitemoeshared(settings: Settings) -> Described:
    """One of its multipliers is ours, that of the scores; the others change what the model computes."""
    for name in ("embedding_multiplier", "residual_multiplier", "logits_scaling"):
        settings.must_be(name, 1.0, 1)
    shared = settings.get("shared_intermediate_size")
    if shared not in (None, 0):
        settings.must_be("shared_intermediate_size", settings.size("intermediate_size"))
    return llama_like(
        settings,
        ATTENTION if settings.switch("attention_bias") else NONE,
        GRANITE_NAMES,
        n_kv_heads=key_heads(settings),
        scale=_scale(settings),
        **_experts(settings, "num_local_experts", "plain" if shared else "none"),
    )


def _scale(settings: Settings) -> Scale:
    width, n_heads = settings.size("hidden_size"), settings.size("num_attention_heads")
    usual = settings.size("head_dim", max(1, width // n_heads)) ** -0.5
    multiplier = settings.number("attention_multiplier", 1.0)
    if math.isclose(multiplier, usual, rel_tol=1e-9):
        return "sqrt"
    settings.must_be("attention_multiplier", 1.0, 1)
    return "none"


def _qwen_width(settings: Settings) -> int:
    """Of an expert. What else Qwen's mixtures have in common is refused where it is not as ours."""
    refuse_used_windows(settings)
    settings.must_be("decoder_sparse_step", 1)
    settings.must_be("mlp_only_layers", [])
    if not settings.switch("norm_topk_prob"):
        raise settings.refused("norm_topk_prob", False)
    settings.get("intermediate_size")  # of layers without experts, of which there are none
    return settings.size("moe_intermediate_size")


def qwen2_moe(settings: Settings) -> Described:
    """Its shared expert is weighted by a sigmoid."""
    width = _qwen_width(settings)
    settings.must_be("shared_expert_intermediate_size", width)
    return llama_like(
        settings,
        QUERIES if settings.switch("qkv_bias", True) else NONE,
        QWEN_MOE_NAMES,
        n_kv_heads=key_heads(settings),
        d_ff=width,
        **_experts(settings, "num_experts", "gated"),
    )


def qwen3_moe(settings: Settings) -> Described:
    """Queries and keys have norms, and no expert is shared."""
    count = (
        "num_experts" if "num_experts" in settings.values else "num_local_experts"
    )  # as transformers 5 has it
    return llama_like(
        settings,
        ATTENTION if settings.switch("attention_bias") else NONE,
        QWEN_MOE_NAMES,
        n_kv_heads=key_heads(settings),
        d_ff=_qwen_width(settings),
        qk_norm=True,
        **_experts(settings, count, "none"),
    )
