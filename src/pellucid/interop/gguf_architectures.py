"""The architectures of llama.cpp that compute exactly what models of ours do, and what a file says of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.mapping import Layout
from pellucid.interop.names import GGUF_NAMES
from pellucid.interop.rewriting import (
    changes,
    with_biases,
    with_learned_positions,
    with_norm_scales,
    with_own_head,
    without_training,
)
from pellucid.interop.run_weights import Weights
from pellucid.interop.turns import HalfSplit, as_it_is
from pellucid.model.config import Activation, FeedForwardKind, ModelConfig, Norm, Positions, SharedExpert

ATTENTION = frozenset(("q", "k", "v"))
EVERY_DENSE = frozenset((*ATTENTION, "out", "gate", "up", "down"))
EVERY_PLAIN = frozenset((*ATTENTION, "out", "up", "down"))


@dataclasses.dataclass(frozen=True)
class Arch:
    """How llama.cpp computes an architecture, and how its files keep it.

    Args:
        biased: the linear layers whose biases it reads, as Names calls them.
        needs_biases: whether they must be there.
        square: whether all heads together must be as wide as the model.
        own_keys: whether every query head must have keys and values of its own.
        needs_head: whether the matrix of logits must be there though it is the embedding.
        interleaved: whether rotary pairs are (2i, 2i + 1).
        fused: whether queries, keys and values are one tensor.
        also: settings that its files must have.
    """

    name: str
    norm: Norm = "rmsnorm"
    positions: Positions = "rotary"
    activation: Activation = "swiglu"
    feedforward: tuple[FeedForwardKind, ...] = ("dense",)
    shared_expert: SharedExpert = "none"
    qk_norm: bool = False
    biased: frozenset[str] = ATTENTION
    needs_biases: bool = False
    square: bool = False
    own_keys: bool = False
    needs_head: bool = False
    interleaved: bool = False
    fused: bool = False
    also: tuple[tuple[str, Any], ...] = ()

    def layout(self, config: ModelConfig, biased: frozenset[str]) -> Layout:
        """How its files keep a model of `config` in which the linear layers `biased` have a bias."""
        heads = HalfSplit(config.head_dim) if self.interleaved else as_it_is
        return Layout(GGUF_NAMES, biased, heads=heads, fused=self.fused)


# In the order in which they are tried. Source: llama.cpp, src/models; checked by running it (tests/parity).
ARCHITECTURES = {
    arch.name: arch
    for arch in (
        Arch("llama", feedforward=("dense", "experts"), biased=EVERY_DENSE, interleaved=True),
        Arch("qwen2"),
        Arch("qwen3", qk_norm=True),
        Arch("qwen3moe", feedforward=("experts",), qk_norm=True),
        Arch(
            "granitemoe",
            feedforward=("experts",),
            shared_expert="plain",
            biased=ATTENTION | {"out"},
            interleaved=True,
            also=(("logit_scale", 1.0),),
        ),
        Arch("arcee", activation="relu2", interleaved=True),
        Arch(
            "jais2",
            norm="layernorm",
            activation="relu2",
            biased=EVERY_PLAIN,
            needs_biases=True,
            square=True,
            own_keys=True,
        ),
        Arch(
            "nemotron",
            norm="layernorm",
            activation="relu2",
            biased=EVERY_PLAIN,
            square=True,
            needs_head=True,
        ),
        Arch(
            "starcoder2",
            norm="layernorm",
            activation="gelu_tanh",
            biased=EVERY_PLAIN,
            needs_biases=True,
            square=True,
        ),
        Arch("stablelm", norm="layernorm", square=True, needs_head=True),
        Arch(
            "gpt2",
            norm="layernorm",
            positions="learned",
            activation="gelu_tanh",
            biased=frozenset(("qkv", "out", "up", "down")),
            needs_biases=True,
            square=True,
            fused=True,
        ),
    )
}

# Fields of a configuration that an architecture is chosen by, or that its files have a number for.
USED = frozenset(
    (
        "vocab_size",
        "context_length",
        "n_layers",
        "n_heads",
        "n_kv_heads",
        "head_dim",
        "d_model",
        "d_ff",
        "positions",
        "rope_base",
        "norm",
        "norm_eps",
        "feedforward",
        "activation",
        "n_experts",
        "experts_per_token",
        "shared_expert",
        "qk_norm",
        "bias",
        "tie_embeddings",
    )
)
# Those that change nothing once a model is trained: a bias on the choice of experts is looked at among the weights.
OF_TRAINING = frozenset(("dropout", "balance", "balance_rate"))


@dataclasses.dataclass(frozen=True)
class Twin:
    """What llama.cpp computes exactly as one of our models.

    Args:
        arch: its architecture.
        weights: ours, rewritten where the architecture asks for that.
        changes: what was rewritten, in words.
    """

    arch: Arch
    weights: Weights
    changes: tuple[str, ...]

    @property
    def config(self) -> ModelConfig:
        return self.weights.config

    @property
    def layout(self) -> Layout:
        return self.arch.layout(self.config, self.arch.biased)


def twin_of(weights: Weights) -> Twin:
    """The architecture for a model, and the model as it is written there.

    Raises:
        InputError: there is none; it says which part has no twin.
    """
    before = weights.config
    arch = choose(before)
    weights = with_norm_scales(without_training(weights))
    if arch.positions == "learned":
        weights = with_learned_positions(weights)
    if arch.needs_biases:
        weights = with_biases(weights)
    if arch.needs_head:
        weights = with_own_head(weights)
    return Twin(arch, weights, tuple(changes(before, weights.config)))


def choose(config: ModelConfig) -> Arch:
    """The architecture for a model. Raises: InputError where there is none."""
    if config.architecture != "transformer":
        raise InputError(
            f"llama.cpp has no architecture that is a {config.architecture} model: export a transformer"
        )
    for field in dataclasses.fields(ModelConfig):
        value = getattr(config, field.name)
        if field.name not in USED | OF_TRAINING and value != field.default:
            raise InputError(
                f"llama.cpp has no architecture with {field.name} {_shown(value)}, so this model has no exact twin in "
                f"GGUF: train one with {field.name} {_shown(field.default)} to export it"
            )
    unmet = {arch: list(_unmet(config, arch)) for arch in ARCHITECTURES.values()}
    nearest = min(unmet, key=lambda arch: len(unmet[arch]))  # the first of those that are equally near
    if unmet[nearest]:
        raise InputError(
            "llama.cpp has no architecture that computes this model exactly: its nearest one, "
            f"{nearest.name}, would need {' and '.join(unmet[nearest])}; train one so, or export with --to hf"
        )
    return nearest


def _unmet(config: ModelConfig, arch: Arch) -> Iterator[str]:
    """What of a model is otherwise in an architecture, as it would have to be."""
    norm = "rmsnorm" if config.norm == "rmsnorm_fixed" else config.norm
    baked = arch.positions == "learned" and config.positions in ("sinusoidal", "none")
    wanted: dict[str, tuple[str, ...]] = {
        "positions": (config.positions,) if baked else (arch.positions,),
        "norm": (config.norm,) if norm == arch.norm else (arch.norm,),
        "feedforward": arch.feedforward,
        "activation": (arch.activation,),
    }
    if config.feedforward == "experts" and "experts" in arch.feedforward:
        wanted["shared_expert"] = (arch.shared_expert,)
    for name, values in wanted.items():
        if getattr(config, name) not in values:
            yield f"{name} {' or '.join(values)} instead of {getattr(config, name)}"
    if config.qk_norm != arch.qk_norm:
        yield f"qk_norm {_shown(arch.qk_norm)} instead of {_shown(config.qk_norm)}"
    if arch.square and config.n_heads * config.head_dim != config.d_model:
        yield f"head_dim {config.d_model / config.n_heads:g} (d_model / n_heads) instead of {config.head_dim}"
    if arch.own_keys and config.n_heads != config.n_kv_heads:
        yield f"n_kv_heads {config.n_heads} instead of {config.n_kv_heads}"


def hyperparameters(twin: Twin) -> dict[str, Any]:
    """The metadata of a file that are about the model's shape; whole numbers, or floating-point ones."""
    config, arch = twin.config, twin.arch
    epsilon = "layer_norm_rms_epsilon" if arch.norm == "rmsnorm" else "layer_norm_epsilon"
    values: dict[str, Any] = {
        "context_length": config.context_length,
        "embedding_length": config.d_model,
        "block_count": config.n_layers,
        "feed_forward_length": config.d_ff,
        "attention.head_count": config.n_heads,
        "attention.head_count_kv": config.n_kv_heads,
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        f"attention.{epsilon}": config.norm_eps,
        "vocab_size": config.vocab_size,
        **dict(arch.also),
    }
    if config.positions == "rotary":
        values |= {"rope.dimension_count": config.head_dim, "rope.freq_base": config.rope_base}
    if config.feedforward == "experts":
        values |= {
            "expert_count": config.n_experts,
            "expert_used_count": config.experts_per_token,
            "expert_feed_forward_length": config.d_ff,
        }
    if config.shared_expert != "none":
        values["expert_shared_feed_forward_length"] = config.d_ff
    return {f"{arch.name}.{name}": value for name, value in values.items()}


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
