"""A model rewritten as another one that computes the same, where a published family can only hold that.

Shapes: C d_model, H heads, K key/value heads, D head size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.run_weights import Lazy, Weights, kept
from pellucid.model.config import ModelConfig
from pellucid.model.positions import SinusoidalPositions

EMBEDDING, TABLE, HEAD = "embedding.weight", "positions.table.weight", "head.weight"
CHOICE_BIAS = ".feedforward.choice_bias"


def without_training(weights: Weights) -> Weights:
    """Without what only training has: dropout and the balance of experts.

    Raises:
        InputError: a bias on the choice of experts is not zero; it stays in the model.
    """
    config = dataclasses.replace(weights.config, dropout=0.0)
    tensors = weights.tensors
    if config.feedforward == "experts":
        config = dataclasses.replace(config, balance="loss", balance_rate=None)
        biases = [name for name in tensors if name.endswith(CHOICE_BIAS)]
        if any(tensors[name].read().any() for name in biases):
            raise InputError(
                "a bias on the choice of experts (balance bias) has no twin in other programs: "
                "train with --balance loss to export"
            )
        tensors = {name: tensor for name, tensor in tensors.items() if name not in biases}
    return Weights(config, tensors)


def with_norm_scales(weights: Weights) -> Weights:
    """RMSNorm without a scale is one whose scales are all 1."""
    config = weights.config
    if config.norm != "rmsnorm_fixed":
        return weights
    ones = {name: kept(torch.ones(config.d_model, dtype=weights.dtype)) for name in norm_names(config)}
    return Weights(dataclasses.replace(config, norm="rmsnorm"), {**weights.tensors, **ones})


def norm_names(config: ModelConfig) -> list[str]:
    """What the scales of the stream's norms are called."""
    parts = ("attention", "feedforward")
    names = [f"blocks.{n}.{part}_norm.weight" for n in range(config.n_layers) for part in parts]
    return [*names, "norm.weight"] if config.norm_position == "pre" else names


def with_learned_positions(weights: Weights) -> Weights:
    """Sines and cosines, or no positions at all, as a table that could have been learned.

    Sinusoidal positions are added to the embedding times √C: that is baked into it, and a tied head becomes one of its
    own, since it is the embedding without the factor.
    """
    config, tensors = weights.config, dict(weights.tensors)
    if config.positions == "none":
        tensors[TABLE] = kept(torch.zeros(config.context_length, config.d_model, dtype=weights.dtype))
    elif config.positions == "sinusoidal":
        positions, embedding = SinusoidalPositions(config), tensors[EMBEDDING]
        tensors[TABLE] = kept(positions.table)
        scaled = lambda: positions.scale * embedding.read().float()  # noqa: E731
        tensors[EMBEDDING] = Lazy(embedding.shape, torch.float32, scaled)
        tensors.setdefault(HEAD, embedding)
        config = dataclasses.replace(config, tie_embeddings=False)
    else:
        return weights
    return Weights(dataclasses.replace(config, positions="learned"), tensors)


def with_own_head(weights: Weights) -> Weights:
    """A tied head as a matrix of its own."""
    if not weights.config.tie_embeddings:
        return weights
    config = dataclasses.replace(weights.config, tie_embeddings=False)
    return Weights(config, {**weights.tensors, HEAD: weights.tensors[EMBEDDING]})


def with_own_key_heads(weights: Weights) -> Weights:
    """Keys and values that several heads share, repeated for each of them."""
    config = weights.config
    if config.n_kv_heads == config.n_heads:
        return weights
    d = config.head_dim
    sizes = [config.n_heads * d, config.n_kv_heads * d, config.n_kv_heads * d]

    def repeated(tensor: Tensor) -> Tensor:
        q, k, v = tensor.split(sizes)
        groups = config.n_heads // config.n_kv_heads
        k, v = (part.unflatten(0, (-1, d)).repeat_interleave(groups, dim=0).flatten(0, 1) for part in (k, v))
        return torch.cat([q, k, v])

    tensors = dict(weights.tensors)
    for name, tensor in weights.tensors.items():
        if ".attention.qkv." in name:
            shape = (3 * config.n_heads * d, *tensor.shape[1:])
            tensors[name] = Lazy(shape, tensor.dtype, _then(tensor, repeated))
    return Weights(dataclasses.replace(config, n_kv_heads=config.n_heads), tensors)


def with_biases(weights: Weights) -> Weights:
    """Linear layers without a bias have one of zeros."""
    if weights.config.bias:
        return weights
    config, tensors = dataclasses.replace(weights.config, bias=True), dict(weights.tensors)
    for name, tensor in weights.tensors.items():
        bias = name.removesuffix("weight") + "bias"
        if bias_kind(bias):
            tensors[bias] = kept(torch.zeros(tensor.shape[0], dtype=tensor.dtype))
    return Weights(config, tensors)


def without_biases(weights: Weights) -> Weights:
    """The reverse, where all of them are zero."""
    names = [name for name in weights.tensors if bias_kind(name)]
    tensors = {name: tensor for name, tensor in weights.tensors.items() if name not in names}
    return Weights(dataclasses.replace(weights.config, bias=False), tensors)


def biases_in_use(weights: Weights) -> frozenset[str]:
    """Where there are biases other than zero: some of "qkv", "out", "feedforward" and "shared" (an expert's)."""
    found = set[str]()
    for name, tensor in weights.tensors.items():
        kind = bias_kind(name)
        if kind and kind not in found and tensor.read().any():
            found.add(kind)
    return frozenset(found)


def bias_kind(name: str) -> str | None:
    """Which of the linear layers of a block a bias is of; None for a norm's, and for what is no bias."""
    if not name.startswith("blocks.") or not name.endswith(".bias"):
        return None
    part = name.split(".", 2)[2]
    for beginning, kind in (
        ("attention.qkv.", "qkv"),
        ("attention.out.", "out"),
        ("feedforward.shared.", "shared"),
        ("feedforward.", "feedforward"),
    ):
        if part.startswith(beginning):
            return kind
    return None


def changes(before: ModelConfig, after: ModelConfig) -> list[str]:
    """What a person should know of a rewriting."""
    told = list[str]()
    if before.norm != after.norm:
        told.append("the norms, which have no scale, have one of ones")
    if before.positions != after.positions:
        told.append(f"the {before.positions} positions are a table, as if they had been learned")
    if before.tie_embeddings != after.tie_embeddings:
        told.append("the head, tied to the embedding here, is a matrix of its own")
    if before.n_kv_heads != after.n_kv_heads:
        told.append(f"the {before.n_kv_heads} key/value heads are repeated for each of the {after.n_heads}")
    if before.bias != after.bias:
        told.append(
            "biases that are not there are zeros" if after.bias else "biases, all of them zero, are left out"
        )
    return told


def _then(tensor: Lazy, change: Callable[[Tensor], Tensor]) -> Callable[[], Tensor]:
    return lambda: change(tensor.read())
