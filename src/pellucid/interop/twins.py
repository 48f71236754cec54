"""The family of Hugging Face that computes exactly what a model of ours does; where there is none, the part is named.

What a twin's config.json says is read by the functions that import it (families.py): the layout of its tensors is
theirs, and a configuration that did not come back the same would be refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.families import describe
from pellucid.interop.mapping import Layout
from pellucid.interop.rewriting import (
    biases_in_use,
    changes,
    with_biases,
    with_learned_positions,
    with_norm_scales,
    with_own_key_heads,
    without_biases,
    without_training,
)
from pellucid.interop.run_weights import Weights
from pellucid.model.config import ModelConfig
from pellucid.text.tokenizers.patterns import NORMALIZERS, PRE_TOKENIZERS
from pellucid.text.tokenizers.tokenizer import Tokenizer

Values = dict[str, Any]

NO_TWIN = "has no twin in Hugging Face: no architecture there computes it, and an export is exact or refused"
# Fields that the functions below look at; any other must be as it is by default.
EXPRESSED = frozenset(
    (
        *("vocab_size", "context_length", "n_layers", "n_heads", "n_kv_heads", "head_dim", "d_model", "d_ff"),
        *(
            "positions",
            "rope_base",
            "norm",
            "norm_eps",
            "norm_position",
            "scale",
            "feedforward",
            "activation",
        ),
        *("n_experts", "experts_per_token", "shared_expert", "balance", "balance_rate"),
        *("qk_norm", "bias", "tie_embeddings", "dropout", "architecture"),
    )
)
# What stands together in no family, the first that holds being told of.
CLASHES = (
    (("post", "rotary"), "a norm after each part (norm_position post) with rotary positions"),
    (("post", "rmsnorm"), "RMSNorm after each part (norm_position post)"),
    (("absolute", "rmsnorm"), "RMSNorm with {positions} positions"),
    (("absolute", "swiglu"), "SwiGLU with {positions} positions"),
    (("absolute", "experts"), "a mixture of experts with {positions} positions"),
    (("layernorm", "experts"), "a mixture of experts with LayerNorm"),
)
ACTIVATIONS = {"gelu_tanh": "gelu_pytorch_tanh", "gelu": "gelu", "relu": "relu", "relu2": "relu2"}


@dataclasses.dataclass(frozen=True)
class Twin:
    """A published model that computes the same.

    Args:
        family: its model_type.
        values: what its config.json says, but for its tokens.
        weights: ours, rewritten where the family asks for that.
        layout: how its files keep them.
        changes: what was rewritten, in words.
    """

    family: str
    values: Values
    weights: Weights
    layout: Layout
    changes: tuple[str, ...]


def twin_of(weights: Weights, tokenizer: Tokenizer) -> Twin:
    """The twin of a model.

    Raises:
        InputError: it has none; the part that has none is named.
    """
    before = weights.config
    _refuse_what_is_not_expressed(before)
    weights = with_norm_scales(without_training(weights))
    family, values, weights = _choose(weights.config)(weights)
    if family == "qwen2" and not cuts_as_qwen(tokenizer):
        family, values = "llama", {**values, "attention_bias": True}
    values = {"model_type": family, **values}
    config = weights.config
    _, described = describe(values, "the export")
    if described.config != config:  # or what we write is not what we would read
        raise RuntimeError(f"{family} does not say what the model is: {described.config} for {config}")
    return Twin(family, values, weights, described.layout, tuple(changes(before, config)))


def cuts_as_qwen(tokenizer: Tokenizer) -> bool:
    """Whether it cuts a text into words as Qwen's does, as transformers does for every `qwen2`, whatever its file says.

    Where it does not, the same model is a `llama` whose other biases are zero.
    """
    content = json.loads(tokenizer.to_json())
    normalizer, cutter = content.get("normalizer"), content.get("pre_tokenizer") or {}
    parts = [{**part, "trim_offsets": False} for part in cutter.get("pretokenizers", [])]
    known = [{**part, "trim_offsets": False} for part in PRE_TOKENIZERS["qwen2"]["pretokenizers"]]
    return normalizer == NORMALIZERS["qwen2"] and parts == known


# ---------------------------------------------------------------------- which family


def _refuse_what_is_not_expressed(config: ModelConfig) -> None:
    if config.architecture != "transformer":
        raise InputError(f"a {config.architecture} model, a table of pairs, {NO_TWIN}; export a transformer")
    for part in ("norm", "feedforward"):
        if getattr(config, part) == "none":
            raise _refused(f"{part} none")
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in EXPRESSED and value != field.default:
            raise _refused(f"{field.name} {str(value).lower() if isinstance(value, bool) else value}")


def _refused(part: str) -> InputError:
    return InputError(f"{part} {NO_TWIN}")


def _choose(config: ModelConfig) -> Callable[[Weights], tuple[str, Values, Weights]]:
    """What makes the twin of such a model."""
    feedforward = "plain"
    if config.feedforward == "experts":
        feedforward = "experts"
    elif config.activation == "swiglu":
        feedforward = "swiglu"
    positions = "rotary" if config.positions == "rotary" else "absolute"
    kinds = (positions, config.norm, config.norm_position, feedforward)
    for clash, part in CLASHES:
        if set(clash) <= set(kinds):
            raise _refused(part.format(positions=config.positions if config.positions != "none" else "no"))
    scaled_by_one = config.scale == "none"
    can = kinds == ("absolute", "layernorm", "pre", "plain") or (
        feedforward == "experts" and config.shared_expert != "gated" and not config.qk_norm
    )
    if scaled_by_one and not can:
        raise _refused("scale none beside these parts")
    if config.qk_norm and kinds not in (
        ("rotary", "rmsnorm", "pre", "swiglu"),
        ("rotary", "rmsnorm", "pre", "experts"),
    ):
        raise _refused("QK-norm beside other parts than rotary positions, RMSNorm and SwiGLU or experts")
    return TWINS[kinds]


# ---------------------------------------------------------------------- the families


def _llama(weights: Weights) -> tuple[str, Values, Weights]:
    config, used = weights.config, biases_in_use(weights)
    if config.qk_norm:
        _refuse_biases(used, "feedforward", beside="QK-norm")
        return "qwen3", {**_rotary(config), "attention_bias": config.bias}, weights
    if used == {"qkv"}:
        return "qwen2", _rotary(config), weights
    _refuse_uneven_heads(config)
    return "llama", {**_rotary(config), **_said_biases(config, used)}, weights


def _arcee(weights: Weights) -> tuple[str, Values, Weights]:
    config, used = weights.config, biases_in_use(weights)
    _refuse_uneven_heads(config)
    activation = {"hidden_act": ACTIVATIONS[config.activation]}
    return "arcee", {**_rotary(config), **activation, **_said_biases(config, used)}, weights


def _starcoder2(weights: Weights) -> tuple[str, Values, Weights]:
    config = weights.config
    own = {"hidden_act": ACTIVATIONS[config.activation], "use_bias": config.bias}
    return "starcoder2", {**_rotary(config, "norm_epsilon"), **own, "sliding_window": None}, weights


def _stablelm(weights: Weights) -> tuple[str, Values, Weights]:
    config, used = weights.config, biases_in_use(weights)
    _refuse_wide_heads(config, "LayerNorm, rotary positions and SwiGLU")
    _refuse_biases(used, "out", "feedforward", beside="LayerNorm, rotary positions and SwiGLU")
    values = _rotary(config, "layer_norm_eps")
    values["rope_parameters"]["partial_rotary_factor"] = 1.0
    own = {"use_qkv_bias": config.bias, "use_parallel_residual": False, "qk_layernorm": False}
    return "stablelm", {**values, "partial_rotary_factor": 1.0, **own}, weights


def _experts(weights: Weights) -> tuple[str, Values, Weights]:
    config, used = weights.config, biases_in_use(weights)
    _refuse_biases(used, "shared", beside="experts")
    values = {**_rotary(config), "num_experts_per_tok": config.experts_per_token}
    qwen = {
        "num_experts": config.n_experts,
        "moe_intermediate_size": config.d_ff,
        "norm_topk_prob": True,
        "use_sliding_window": False,
    }
    if config.qk_norm:
        if config.shared_expert != "none":
            raise _refused("QK-norm beside a shared expert")
        return "qwen3_moe", {**values, **qwen, "attention_bias": config.bias}, weights
    if config.shared_expert == "gated":
        _refuse_biases(used, "out", beside="a gated shared expert")
        own = {"shared_expert_intermediate_size": config.d_ff, "qkv_bias": config.bias}
        return "qwen2_moe", {**values, **qwen, **own}, weights
    values["num_local_experts"] = config.n_experts
    if config.shared_expert == "plain" or config.scale == "none" or used:
        own = {
            "shared_intermediate_size": config.d_ff if config.shared_expert == "plain" else 0,
            "attention_multiplier": config.head_dim**-0.5 if config.scale == "sqrt" else 1.0,
            "embedding_multiplier": 1.0,
            "residual_multiplier": 1.0,
            "logits_scaling": 1.0,
            "attention_bias": config.bias,
        }
        return "granitemoeshared", {**values, **own}, weights
    return "mixtral", {**values, "sliding_window": None}, without_biases(weights)


def _gpt2(weights: Weights) -> tuple[str, Values, Weights]:
    weights = with_biases(with_learned_positions(weights))
    _refuse_wide_heads(weights.config, "learned positions")
    shared = weights.config.n_kv_heads == 1 < weights.config.n_heads
    config = (weights if shared else (weights := with_own_key_heads(weights))).config
    activation = "gelu_new" if config.activation == "gelu_tanh" else ACTIVATIONS[config.activation]
    values = {
        **_common(config),
        "n_positions": config.context_length,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": config.d_ff,
        "activation_function": activation,
        "layer_norm_epsilon": config.norm_eps,
        "scale_attn_weights": config.scale == "sqrt",
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "resid_pdrop": 0.0,
    }
    return ("gpt_bigcode", {**values, "multi_query": True}, weights) if shared else ("gpt2", values, weights)


def _opt(weights: Weights) -> tuple[str, Values, Weights]:
    _refuse_wide_heads(weights.config, "learned positions")
    weights = with_own_key_heads(with_learned_positions(weights))
    config = weights.config
    values = {
        **_common(config),
        "max_position_embeddings": config.context_length,
        "hidden_size": config.d_model,
        "word_embed_proj_dim": config.d_model,
        "ffn_dim": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "activation_function": ACTIVATIONS[config.activation],
        "do_layer_norm_before": False,
        "enable_bias": config.bias,
        "dropout": 0.0,
    }
    return "opt", values, weights


TWINS: dict[tuple[str, str, str, str], Callable[[Weights], tuple[str, Values, Weights]]] = {
    ("rotary", "rmsnorm", "pre", "swiglu"): _llama,
    ("rotary", "rmsnorm", "pre", "plain"): _arcee,
    ("rotary", "rmsnorm", "pre", "experts"): _experts,
    ("rotary", "layernorm", "pre", "plain"): _starcoder2,
    ("rotary", "layernorm", "pre", "swiglu"): _stablelm,
    ("absolute", "layernorm", "pre", "plain"): _gpt2,
    ("absolute", "layernorm", "post", "plain"): _opt,
}


# ---------------------------------------------------------------------- what they share


def _common(config: ModelConfig) -> Values:
    return {
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tie_embeddings,
        "use_cache": True,
    }


def _rotary(config: ModelConfig, norm_eps: str = "rms_norm_eps") -> Values:
    """What Llama and its relatives say alike; `norm_eps` is what the family calls it."""
    plain = {"hidden_act": "silu", "attention_dropout": 0.0}
    return {
        **_common(config),
        "max_position_embeddings": config.context_length,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        norm_eps: config.norm_eps,
        "rope_theta": config.rope_base,  # for versions of transformers before 5
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        **plain,
    }


def _said_biases(config: ModelConfig, used: frozenset[str]) -> Values:
    """Both kinds of a model whose biases are all zero, too: they stay what they are."""
    every = config.bias and not used
    return {
        "attention_bias": every or bool(used & {"qkv", "out"}),
        "mlp_bias": every or "feedforward" in used,
    }


def _refuse_biases(used: frozenset[str], *kinds: str, beside: str) -> None:
    of = {
        "out": "the output of attention",
        "feedforward": "the feed-forward layers",
        "shared": "a shared expert",
    }
    for kind in kinds:
        if kind in used:
            raise _refused(f"a bias of {of[kind]} beside {beside}")


def _refuse_wide_heads(config: ModelConfig, beside: str) -> None:
    if config.n_heads * config.head_dim != config.d_model:
        raise _refused(
            f"{config.n_heads} heads of {config.head_dim} in a d_model of {config.d_model}, beside {beside},"
        )


def _refuse_uneven_heads(config: ModelConfig) -> None:
    """Transformers refuses to load them, though they would not disturb it."""
    if config.d_model % config.n_heads:
        raise _refused(f"a d_model of {config.d_model} that does not divide into {config.n_heads} heads")
