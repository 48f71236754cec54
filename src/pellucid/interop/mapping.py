"""Which tensors of a published model are which of ours.

Shapes: C d_model, D head size, H heads, F d_ff. Ours: queries, keys and values are rows of one matrix, and so are the
gate and the up-projection of SwiGLU; linear layers are (out, in).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pellucid.interop.names import Names
from pellucid.interop.turns import Shape, Turn, as_it_is, transposed
from pellucid.model.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class Part:
    """Rows of one of our tensors.

    Args:
        name: the tensor's in the file; None for zeros.
        shape: in the file.
        turn: what makes it ours.
    """

    name: str | None
    shape: Shape
    turn: Turn = as_it_is


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one of our tensors comes from.

    Args:
        parts: that stand one after another in it, along the dimension `along`.
        shape: of ours, where that is another one than theirs joined: experts are matrices below one another.
    """

    parts: tuple[Part, ...]
    along: int = 0
    own_shape: Shape | None = None

    @property
    def joined(self) -> Shape:
        """The shape of all parts, turned and joined."""
        shapes = [part.turn.shape(part.shape) for part in self.parts]
        length = sum(shape[self.along] for shape in shapes)
        return (*shapes[0][: self.along], length, *shapes[0][self.along + 1 :])

    @property
    def shape(self) -> Shape:
        """Of ours."""
        return self.own_shape or self.joined


Rows = tuple[
    tuple[str, int, Turn], ...
]  # of a linear layer: what Names calls them, how many, what turns them
Plan = dict[str, Place]  # by our names, in our order


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a file keeps the tensors of a model.

    Args:
        names: what it calls them.
        biased: which linear layers have a bias, as Names calls them; that of others is zero.
        matrix: what turns a linear layer's matrix.
        heads: what turns the rows of queries and keys.
        fused: whether queries, keys and values are one tensor.
    """

    names: Names
    biased: frozenset[str]
    matrix: Turn = as_it_is
    heads: Turn = as_it_is
    fused: bool = False


def plan(config: ModelConfig, layout: Layout) -> Plan:
    """Where each of our tensors comes from."""
    names, c = layout.names, config.d_model
    made: Plan = {"embedding.weight": _alone(f"{names.embedding}.weight", (config.vocab_size, c))}
    if config.positions == "learned":
        made["positions.table.weight"] = _alone(f"{names.positions}.weight", (config.context_length, c))
    for n in range(config.n_layers):
        layer = _layer(config, layout, names.layer.format(n=n))
        made |= {f"blocks.{n}.{name}": place for name, place in layer}
    made |= dict(_norm("norm", names.norm, config))
    if not config.tie_embeddings:
        made["head.weight"] = _alone(f"{names.head}.weight", (config.vocab_size, c))
    return made


def _alone(name: str, shape: Shape, turn: Turn = as_it_is) -> Place:
    """Of one part."""
    return Place((Part(name, shape, turn),))


def _layer(config: ModelConfig, layout: Layout, prefix: str) -> Iterator[tuple[str, Place]]:
    names, c, f = layout.names, config.d_model, config.d_ff
    queries, keys = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    yield from _norm("attention_norm", prefix + names.attention_norm, config)
    if layout.fused:
        qkv: Rows = (("qkv", queries + 2 * keys, as_it_is),)
    else:
        qkv = (("q", queries, layout.heads), ("k", keys, layout.heads), ("v", keys, as_it_is))
    gate_up: Rows = (("gate", f, as_it_is), ("up", f, as_it_is))
    gated = config.activation == "swiglu"
    yield from _linear("attention.qkv", c, qkv, config, layout, prefix)
    yield from _linear("attention.out", queries, (("out", c, as_it_is),), config, layout, prefix)
    if config.qk_norm:
        for ours, theirs in (("q_norm", names.q_norm), ("k_norm", names.k_norm)):
            place = _alone(f"{prefix}{theirs}.weight", (config.head_dim,), layout.heads)
            yield f"attention.{ours}.weight", place
    yield from _norm("feedforward_norm", prefix + names.feedforward_norm, config)
    up = gate_up if gated else gate_up[1:]
    yield from _linear("feedforward.gate_up" if gated else "feedforward.up", c, up, config, layout, prefix)
    yield from _linear("feedforward.down", f, (("down", c, as_it_is),), config, layout, prefix)


def _norm(ours: str, theirs: str, config: ModelConfig) -> Iterator[tuple[str, Place]]:
    yield f"{ours}.weight", _alone(f"{theirs}.weight", (config.d_model,))
    if config.norm == "layernorm":
        yield f"{ours}.bias", _alone(f"{theirs}.bias", (config.d_model,))


def _linear(
    ours: str, inputs: int, rows: Rows, config: ModelConfig, layout: Layout, prefix: str
) -> Iterator[tuple[str, Place]]:
    """A linear layer whose rows come from one or several of theirs; a bias that they do not have is zero."""
    weights, biases = list[Part](), list[Part]()
    for field, outputs, turn in rows:
        name = prefix + getattr(layout.names, field)
        shape = (inputs, outputs) if layout.matrix is transposed else (outputs, inputs)
        weights.append(Part(f"{name}.weight", shape, layout.matrix if turn is as_it_is else turn))
        biases.append(Part(f"{name}.bias" if field in layout.biased else None, (outputs,), turn))
    yield f"{ours}.weight", Place(tuple(weights))
    if config.bias:
        yield f"{ours}.bias", Place(tuple(biases))
