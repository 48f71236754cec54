"""Families whose queries and keys are turned: Llama and its relatives."""

from __future__ import annotations

import dataclasses
from typing import Any

from pellucid.interop.mapping import Layout
from pellucid.interop.names import LLAMA_NAMES, STARCODER_NAMES, Names
from pellucid.interop.settings import Settings
from pellucid.model.config import Activation, ModelConfig

ACTIVATIONS: dict[str, Activation] = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
    "relu2": "relu2",
}
ROPE_BASE = 10_000.0
MISTRAL_WINDOW = 4096  # where its config.json does not say
STABLELM_TURNED = 0.25  # of a head, where its config.json does not say
ATTENTION, FEEDFORWARD = frozenset(("q", "k", "v", "out")), frozenset(("gate", "up", "down"))
QUERIES = frozenset(("q", "k", "v"))
NONE = frozenset[str]()


@dataclasses.dataclass(frozen=True)
class Described:
    """What a config.json describes: our configuration that computes the same, and how its files keep it."""

    config: ModelConfig
    layout: Layout


def activation(settings: Settings, name: str, default: str) -> Activation:
    """That of a plain feed-forward layer.

    Raises:
        InputError: one that our model does not have.
    """
    value = settings.text(name, default)
    if value not in ACTIVATIONS:
        raise settings.refused(name, value)
    return ACTIVATIONS[value]


def llama_like(
    settings: Settings, biased: frozenset[str] = NONE, names: Names = LLAMA_NAMES, **own: Any
) -> Described:
    """What Llama and its relatives share; `own` are the fields in which a family is not as Llama is."""
    n_heads, width = settings.size("num_attention_heads"), settings.size("hidden_size")
    if "activation" not in own:
        settings.must_be("hidden_act", "silu", "swish")
    shared: dict[str, Any] = {
        "vocab_size": settings.size("vocab_size"),
        "context_length": settings.size("max_position_embeddings"),
        "n_layers": settings.size("num_hidden_layers"),
        "n_heads": n_heads,
        "n_kv_heads": own.get("n_kv_heads") or settings.size("num_key_value_heads"),
        "head_dim": settings.size("head_dim", max(1, width // n_heads)),
        "d_model": width,
        "d_ff": own.get("d_ff") or settings.size("intermediate_size"),
        "positions": "rotary",
        "rope_base": own.get("rope_base") or rope_base(settings),
        "norm": "rmsnorm",
        "norm_eps": own.get("norm_eps") or settings.number("rms_norm_eps", 1e-6),
        "activation": "swiglu",
        "bias": bool(biased),
        "tie_embeddings": settings.switch("tie_word_embeddings", own.pop("tied", False)),
    }
    return Described(ModelConfig(**{**shared, **own}), Layout(names, biased))


def key_heads(settings: Settings) -> int:
    """As many as there are heads, where nothing is said."""
    return settings.size("num_key_value_heads", settings.size("num_attention_heads"))


def rope_base(settings: Settings, default: float = ROPE_BASE, turned: float = 1.0) -> float:
    """The one base of plain rotary positions, in the spelling of any version of transformers.

    Args:
        turned: which part of a head is, where nothing is said.
    """
    base = settings.number("rope_theta", default)
    turned = settings.number("partial_rotary_factor", turned)
    for name in ("rope_parameters", "rope_scaling"):
        value = settings.get(name)
        if value is None:
            continue
        if not isinstance(value, dict):
            raise settings.wrong(name, value, "names and values")
        rope = Settings(value, f"{settings.where} ({name})")
        rope.must_be("rope_type", "default")
        rope.must_be("type", "default")
        turned = rope.number("partial_rotary_factor", turned)
        base = rope.number("rope_theta", base)
        rope.refuse_the_rest()
    if turned != 1:
        raise settings.refused("partial_rotary_factor", turned)
    return base


def refuse_windows(settings: Settings, window: Any) -> None:
    """A window that no text can fill changes nothing; any other is refused."""
    settings.get("sliding_window")
    if window is not None:
        Settings({"sliding_window": window}, settings.where).size("sliding_window")
        if window < settings.size("max_position_embeddings"):
            raise settings.refused("sliding_window", window)
    kinds = settings.get("layer_types")
    if kinds is not None and (not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds)):
        raise settings.refused("layer_types", kinds)


def refuse_used_windows(settings: Settings) -> None:
    """As Qwen has them: a window counts only where it is said to be used."""
    used = settings.switch("use_sliding_window")
    refuse_windows(settings, settings.get("sliding_window") if used else None)


def said_biases(settings: Settings) -> frozenset[str]:
    """As Llama says which layers have a bias."""
    attention = ATTENTION if settings.switch("attention_bias") else NONE
    return attention | (FEEDFORWARD if settings.switch("mlp_bias") else NONE)


# ---------------------------------------------------------------------- the families


def llama(settings: Settings) -> Described:
    return llama_like(settings, said_biases(settings), n_kv_heads=key_heads(settings))


def qwen2(settings: Settings) -> Described:
    refuse_used_windows(settings)
    return llama_like(settings, QUERIES)


def qwen3(settings: Settings) -> Described:
    refuse_used_windows(settings)
    biased = ATTENTION if settings.switch("attention_bias") else NONE
    settings.size("head_dim")  # which is not the width a head where it is left out
    return llama_like(settings, biased, qk_norm=True)


def mistral(settings: Settings) -> Described:
    refuse_windows(settings, settings.values.get("sliding_window", MISTRAL_WINDOW))
    return llama_like(settings)


def arcee(settings: Settings) -> Described:
    """Llama with a plain feed-forward layer."""
    return llama_like(
        settings,
        said_biases(settings),
        n_kv_heads=key_heads(settings),
        norm_eps=settings.number("rms_norm_eps", 1e-5),
        activation=activation(settings, "hidden_act", "relu2"),
    )


def starcoder2(settings: Settings) -> Described:
    """LayerNorm and a plain feed-forward layer."""
    refuse_windows(settings, settings.get("sliding_window"))
    return llama_like(
        settings,
        ATTENTION | FEEDFORWARD if settings.switch("use_bias", True) else NONE,
        STARCODER_NAMES,
        norm="layernorm",
        norm_eps=settings.number("norm_epsilon", 1e-5),
        activation=activation(settings, "hidden_act", "gelu_pytorch_tanh"),
        tied=True,
    )


def stablelm(settings: Settings) -> Described:
    """LayerNorm and SwiGLU."""
    settings.must_be("qk_layernorm", False)
    settings.must_be("use_parallel_residual", False)
    return llama_like(
        settings,
        QUERIES if settings.switch("use_qkv_bias") else NONE,
        rope_base=rope_base(settings, turned=STABLELM_TURNED),
        norm="layernorm",
        norm_eps=settings.number("layer_norm_eps", 1e-5),
    )
