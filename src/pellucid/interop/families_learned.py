"""Families with a trained vector for each position: GPT-2, GPT BigCode and OPT."""

from __future__ import annotations

from typing import Any

from pellucid.interop.families_rotary import Described, activation
from pellucid.interop.mapping import Layout
from pellucid.interop.names import GPT2_NAMES, OPT_NAMES
from pellucid.interop.settings import Settings
from pellucid.interop.turns import Without, transposed
from pellucid.model.config import ModelConfig

FUSED = frozenset(("qkv", "out", "up", "down"))
OPT_ROWS = 2  # of its table of positions that no token reads


def gpt2(settings: Settings) -> Described:
    settings.must_be("scale_attn_by_inverse_layer_idx", False)
    config = _gpt2_like(settings, "gelu_new")
    return Described(config, Layout(GPT2_NAMES, FUSED, matrix=transposed, fused=True))


def gpt_bigcode(settings: Settings) -> Described:
    """GPT-2 with keys and values that all heads share."""
    settings.must_be("multi_query", True)  # otherwise its heads stand in an order of their own
    settings.must_be("num_key_value_heads", 1)
    config = _gpt2_like(settings, "gelu_pytorch_tanh", n_kv_heads=1)
    return Described(config, Layout(GPT2_NAMES, FUSED, fused=True))


def _gpt2_like(settings: Settings, default: str, **more: Any) -> ModelConfig:
    width = settings.size("n_embd")
    settings.must_be("add_cross_attention", False)
    return ModelConfig(
        vocab_size=settings.size("vocab_size"),
        context_length=settings.size("n_positions"),
        n_layers=settings.size("n_layer"),
        n_heads=settings.size("n_head"),
        d_model=width,
        d_ff=settings.size("n_inner", 4 * width),
        positions="learned",
        norm="layernorm",
        norm_eps=settings.number("layer_norm_epsilon", 1e-5),
        scale="sqrt" if settings.switch("scale_attn_weights", True) else "none",
        activation=activation(settings, "activation_function", default),
        bias=True,
        tie_embeddings=settings.switch("tie_word_embeddings", True),
        **more,
    )


def opt(settings: Settings) -> Described:
    """Norms before or after each part; where they stand after it the stream ends without one of its own."""
    width = settings.size("hidden_size")
    settings.must_be("word_embed_proj_dim", width)
    settings.must_be("_remove_final_layer_norm", False)
    settings.must_be("layer_norm_elementwise_affine", True)
    biased = settings.switch("enable_bias", True)
    config = ModelConfig(
        vocab_size=settings.size("vocab_size"),
        context_length=settings.size("max_position_embeddings"),
        n_layers=settings.size("num_hidden_layers"),
        n_heads=settings.size("num_attention_heads"),
        d_model=width,
        d_ff=settings.size("ffn_dim"),
        positions="learned",
        norm="layernorm",
        norm_position="pre" if settings.switch("do_layer_norm_before", True) else "post",
        activation=activation(settings, "activation_function", "relu"),
        bias=biased,
        tie_embeddings=settings.switch("tie_word_embeddings", True),
    )
    every = frozenset(("q", "k", "v", "out", "up", "down")) if biased else frozenset[str]()
    return Described(config, Layout(OPT_NAMES, every, positions=Without(OPT_ROWS)))
