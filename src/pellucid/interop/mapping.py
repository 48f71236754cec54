"""Which tensors of a published model are which of ours.

Shapes: C d_model, D head size, H heads, E experts, F d_ff. Ours: queries, keys and values are rows of one matrix, and
so are the gate and the up-projection of SwiGLU; linear layers are (out, in).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pellucid.interop.names import Names
from pellucid.interop.turns import Shape, Turn, as_it_is
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


# of a linear layer: what Names calls them, how many rows, what turns them
Linears = tuple[tuple[str, int, Turn], ...]
Plan = dict[str, Place]  # by our names, in our order
Named = Iterator[tuple[str, Place]]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a file keeps the tensors of a model.

    Args:
        names: what it calls them.
        biased: which linear layers have a bias, as Names calls them; that of others is zero.
        matrix: what turns a linear layer's matrix.
        heads: what turns the rows of queries and keys.
        positions: what turns the table of positions.
        fused: whether queries, keys and values are one tensor.
    """

    names: Names
    biased: frozenset[str] = frozenset()
    matrix: Turn = as_it_is
    heads: Turn = as_it_is
    positions: Turn = as_it_is
    fused: bool = False


def plan(config: ModelConfig, layout: Layout) -> Plan:
    """Where each of our tensors comes from."""
    names, c = layout.names, config.d_model
    made: Plan = {"embedding.weight": _alone(f"{names.embedding}.weight", (config.vocab_size, c))}
    if config.positions == "learned":
        shape = layout.positions.theirs((config.context_length, c))
        made["positions.table.weight"] = _alone(f"{names.positions}.weight", shape, layout.positions)
    for n in range(config.n_layers):
        prefix = names.layer.format(n=n)
        layer = [*_attention(config, layout, prefix), *_feedforward(config, layout, prefix)]
        made |= {f"blocks.{n}.{name}": place for name, place in layer}
    if config.norm_position == "pre":  # else the last block ends with one
        made |= dict(_norm("norm", names.norm, config))
    if not config.tie_embeddings:
        made["head.weight"] = _alone(f"{names.head}.weight", (config.vocab_size, c))
    return made


def _alone(name: str, shape: Shape, turn: Turn = as_it_is) -> Place:
    """Of one part."""
    return Place((Part(name, shape, turn),))


def _attention(config: ModelConfig, layout: Layout, prefix: str) -> Named:
    names, c = layout.names, config.d_model
    queries, keys = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    yield from _norm("attention_norm", prefix + names.attention_norm, config)
    if layout.fused:
        qkv: Linears = (("qkv", queries + 2 * keys, as_it_is),)
    else:
        qkv = (("q", queries, layout.heads), ("k", keys, layout.heads), ("v", keys, as_it_is))
    yield from _linear("attention.qkv", c, qkv, config, layout, prefix)
    yield from _linear("attention.out", queries, (("out", c, as_it_is),), config, layout, prefix)
    if config.qk_norm:
        for ours, theirs in (("q_norm", names.q_norm), ("k_norm", names.k_norm)):
            place = _alone(f"{prefix}{theirs}.weight", (config.head_dim,), layout.heads)
            yield f"attention.{ours}.weight", place


def _feedforward(config: ModelConfig, layout: Layout, prefix: str) -> Named:
    yield from _norm("feedforward_norm", prefix + layout.names.feedforward_norm, config)
    if config.feedforward == "experts":
        yield from _experts(config, layout.names, prefix)
        if config.shared_expert != "none":
            yield from _dense("feedforward.shared", "shared_", config, layout, prefix)
        if config.shared_expert == "gated":
            switch = f"{prefix}{layout.names.shared_switch}.weight"
            yield "feedforward.shared.gate.weight", _alone(switch, (1, config.d_model))
    else:
        yield from _dense("feedforward", "", config, layout, prefix)


def _dense(ours: str, kind: str, config: ModelConfig, layout: Layout, prefix: str) -> Named:
    """A feed-forward layer for every token; `kind` is what stands before the names of its fields in Names."""
    c, f = config.d_model, config.d_ff
    gate, up = (f"{kind}gate", f, as_it_is), (f"{kind}up", f, as_it_is)
    if config.activation != "swiglu":
        yield from _linear(f"{ours}.up", c, (up,), config, layout, prefix)
    elif getattr(layout.names, f"{kind}gate_up", ""):
        both: Linears = ((f"{kind}gate_up", 2 * f, as_it_is),)
        yield from _linear(f"{ours}.gate_up", c, both, config, layout, prefix)
    else:
        yield from _linear(f"{ours}.gate_up", c, (gate, up), config, layout, prefix)
    yield from _linear(f"{ours}.down", f, ((f"{kind}down", c, as_it_is),), config, layout, prefix)


def _experts(config: ModelConfig, names: Names, prefix: str) -> Named:
    """The chosen experts: matrices of one tensor for all, or a tensor for each; they have no biases."""
    e, c, f = config.n_experts, config.d_model, config.d_ff
    yield "feedforward.router.weight", _alone(f"{prefix}{names.router}.weight", (e, c))

    def each(shape: Shape, *theirs: str) -> tuple[Part, ...]:
        return tuple(
            Part(f"{prefix}{name.format(e=expert)}.weight", shape) for expert in range(e) for name in theirs
        )

    if names.experts_gate_up:
        gate_up = _alone(f"{prefix}{names.experts_gate_up}.weight", (e, 2 * f, c))
    elif "{e}" in names.experts_gate:
        gate_up = Place(each((f, c), names.experts_gate, names.experts_up), own_shape=(e, 2 * f, c))
    else:
        stacked = [f"{prefix}{name}.weight" for name in (names.experts_gate, names.experts_up)]
        gate_up = Place(tuple(Part(name, (e, f, c)) for name in stacked), along=1)
    yield "feedforward.gate_up.weight", gate_up
    if "{e}" in names.experts_down:
        down = Place(each((c, f), names.experts_down), own_shape=(e, c, f))
    else:
        down = _alone(f"{prefix}{names.experts_down}.weight", (e, c, f))
    yield "feedforward.down.weight", down


def _norm(ours: str, theirs: str, config: ModelConfig) -> Named:
    yield f"{ours}.weight", _alone(f"{theirs}.weight", (config.d_model,))
    if config.norm == "layernorm":
        yield f"{ours}.bias", _alone(f"{theirs}.bias", (config.d_model,))


def _linear(ours: str, inputs: int, rows: Linears, config: ModelConfig, layout: Layout, prefix: str) -> Named:
    """A linear layer whose rows come from one or several of theirs; a bias that they do not have is zero."""
    weights, biases = list[Part](), list[Part]()
    for field, outputs, turn in rows:
        name = prefix + getattr(layout.names, field)
        matrix = layout.matrix if turn is as_it_is else turn
        weights.append(Part(f"{name}.weight", matrix.theirs((outputs, inputs)), matrix))
        biases.append(Part(f"{name}.bias" if field in layout.biased else None, (outputs,), turn))
    yield f"{ours}.weight", Place(tuple(weights))
    if config.bias:
        yield f"{ours}.bias", Place(tuple(biases))
