"""What a model of some shape holds and costs: parameters, operations, cache. Imports no torch.

Shapes: V vocabulary, C d_model, H heads, D head size, E experts.
"""

from __future__ import annotations

from pellucid.model.config import ModelConfig

NORM_PARAMETERS = {"layernorm": 2, "rmsnorm": 1, "rmsnorm_fixed": 0, "none": 0}  # a channel


def parameter_counts(config: ModelConfig) -> dict[str, int]:
    """Trainable parameters by part; tied embeddings are counted once."""
    if config.architecture == "bigram":
        return {"table": config.vocab_size**2}
    if config.own:
        return {"own code": config.own.n_params}
    d, bias, layers = config.d_model, int(config.bias), config.n_layers
    queries, key_values = config.n_heads * config.head_dim, 2 * config.n_kv_heads * config.head_dim
    attention = (d + bias) * (queries + key_values) + (queries + bias) * d
    extras = (
        (2 * config.head_dim if config.qk_norm else 0) + 2 * config.value_residual + 2 * config.x0_residual
    )
    norms = layers * (1 if config.feedforward == "none" else 2) + (
        config.norm_position == "pre" and config.final_norm
    )
    return {
        "token embedding": config.vocab_size * d,
        "position embedding": config.context_length * d if config.positions == "learned" else 0,
        "attention": layers * (attention + extras),
        "feed-forward": layers * (_feedforward(config, config.n_experts) + _router(config)),
        "norms": norms * NORM_PARAMETERS[config.norm] * d,
        "output head": 0 if config.tie_embeddings else config.vocab_size * d,
    }


def n_params(config: ModelConfig) -> int:
    """Trainable parameters."""
    return sum(parameter_counts(config).values())


def n_active_params(config: ModelConfig) -> int:
    """Of these, the ones a token meets: all of a dense model, and of its experts those it is sent to."""
    idle = _feedforward(config, config.n_experts) - _feedforward(config, config.experts_per_token)
    return n_params(config) - (config.n_layers * idle if config.architecture == "transformer" else 0)


def flops_per_token(config: ModelConfig, length: int | None = None) -> int:
    """Floating-point operations of one token's forward pass at sequence length `length` (default: the context).

    Two per weight of every matrix product it meets, plus 4·T·H·D a layer for scores and weighted values, halved
    where the mask is causal. A training step costs three times as much
    (Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1). Of a person's own code it is taken
    that each parameter is met once, which is right but for tables and for attention.
    """
    if config.architecture == "bigram":
        return 0
    if config.own:
        return 2 * config.own.n_params
    length = length or config.context_length
    feedforward = config.n_layers * (_feedforward(config, config.experts_per_token) + _router(config))
    matrices = parameter_counts(config)["attention"] + feedforward + config.vocab_size * config.d_model
    seen = length if config.mask == "none" else length / 2
    return 2 * matrices + int(config.n_layers * 4 * seen * config.n_heads * config.head_dim)


def kv_cache_bytes(
    config: ModelConfig, batch: int = 1, length: int | None = None, bytes_per_value: int = 4
) -> int:
    """Bytes that the keys and values of `length` tokens (default: a full context) take."""
    if config.architecture != "transformer":
        return 0
    values = 2 * config.n_layers * config.n_kv_heads * config.head_dim
    return batch * (length or config.context_length) * values * bytes_per_value


def _feedforward(config: ModelConfig, experts: int) -> int:
    """Parameters of a block's feed-forward part, without the router; of a mixture, of so many experts."""
    if config.feedforward == "none":
        return 0
    d, hidden = config.d_model, config.d_ff
    if config.feedforward == "experts":
        return experts * 3 * d * hidden + _shared_expert(config)
    bias, inputs = int(config.bias), 2 if config.activation == "swiglu" else 1  # gate and up, or up alone
    return (d + bias) * inputs * hidden + (hidden + bias) * d


def _shared_expert(config: ModelConfig) -> int:
    if config.shared_expert == "none":
        return 0
    d, hidden, bias = config.d_model, config.d_ff, int(config.bias)
    gate = d if config.shared_expert == "gated" else 0
    return (d + bias) * 2 * hidden + (hidden + bias) * d + gate


def _router(config: ModelConfig) -> int:
    return config.n_experts * config.d_model
