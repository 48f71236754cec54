"""Which tensors of a published model are which of ours, and how each is turned.

Shapes: C d_model, D head size, H heads, F d_ff. Ours: queries, keys and values are rows of one matrix, and so are the
gate and the up-projection of SwiGLU; linear layers are (out, in).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.tensors import TensorFiles, shown
from pellucid.model.config import ModelConfig

Turn = Callable[[Tensor], Tensor]
Shape = tuple[int, ...]


def as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def transposed(tensor: Tensor) -> Tensor:
    """GPT-2 keeps its matrices as (in, out)."""
    return tensor.T


@dataclasses.dataclass(frozen=True)
class HalfSplit:
    """Rows of interleaved rotary pairs (2i, 2i + 1) put as ours are, (i, i + D/2), head by head."""

    head_dim: int

    def __call__(self, tensor: Tensor) -> Tensor:
        pairs = tensor.view(-1, self.head_dim // 2, 2, *tensor.shape[1:])
        return pairs.transpose(1, 2).reshape(tensor.shape)


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


Rows = tuple[
    tuple[str, int, Turn], ...
]  # of a linear layer: what Names calls them, how many, what turns them
Plan = dict[str, tuple[Part, ...]]  # by our names, in our order


@dataclasses.dataclass(frozen=True)
class Names:
    """What a format calls the parts of a model; `{n}` is the layer."""

    embedding: str
    norm: str
    head: str
    positions: str
    layer: str
    attention_norm: str
    qkv: str  # where they are one tensor
    q: str
    k: str
    v: str
    out: str
    q_norm: str
    k_norm: str
    feedforward_norm: str
    gate: str
    up: str
    down: str


LLAMA_NAMES = Names(
    embedding="model.embed_tokens",
    norm="model.norm",
    head="lm_head",
    positions="",
    layer="model.layers.{n}.",
    attention_norm="input_layernorm",
    qkv="",
    q="self_attn.q_proj",
    k="self_attn.k_proj",
    v="self_attn.v_proj",
    out="self_attn.o_proj",
    q_norm="self_attn.q_norm",
    k_norm="self_attn.k_norm",
    feedforward_norm="post_attention_layernorm",
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    down="mlp.down_proj",
)
GPT2_NAMES = Names(
    embedding="transformer.wte",
    norm="transformer.ln_f",
    head="lm_head",
    positions="transformer.wpe",
    layer="transformer.h.{n}.",
    attention_norm="ln_1",
    qkv="attn.c_attn",
    q="",
    k="",
    v="",
    out="attn.c_proj",
    q_norm="",
    k_norm="",
    feedforward_norm="ln_2",
    gate="",
    up="mlp.c_fc",
    down="mlp.c_proj",
)
GGUF_NAMES = Names(
    embedding="token_embd",
    norm="output_norm",
    head="output",
    positions="position_embd",
    layer="blk.{n}.",
    attention_norm="attn_norm",
    qkv="attn_qkv",
    q="attn_q",
    k="attn_k",
    v="attn_v",
    out="attn_output",
    q_norm="attn_q_norm",
    k_norm="attn_k_norm",
    feedforward_norm="ffn_norm",
    gate="ffn_gate",
    up="ffn_up",
    down="ffn_down",
)


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
    made: Plan = {"embedding.weight": (Part(f"{names.embedding}.weight", (config.vocab_size, c)),)}
    if config.positions == "learned":
        made["positions.table.weight"] = (Part(f"{names.positions}.weight", (config.context_length, c)),)
    for n in range(config.n_layers):
        made |= {
            f"blocks.{n}.{name}": parts for name, parts in _layer(config, layout, names.layer.format(n=n))
        }
    made |= dict(_norm("norm", names.norm, config))
    if not config.tie_embeddings:
        made["head.weight"] = (Part(f"{names.head}.weight", (config.vocab_size, c)),)
    return made


def _layer(config: ModelConfig, layout: Layout, prefix: str) -> Iterator[tuple[str, tuple[Part, ...]]]:
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
        yield (
            "attention.q_norm.weight",
            (Part(f"{prefix}{names.q_norm}.weight", (config.head_dim,), layout.heads),),
        )
        yield (
            "attention.k_norm.weight",
            (Part(f"{prefix}{names.k_norm}.weight", (config.head_dim,), layout.heads),),
        )
    yield from _norm("feedforward_norm", prefix + names.feedforward_norm, config)
    up = gate_up if gated else gate_up[1:]
    yield from _linear("feedforward.gate_up" if gated else "feedforward.up", c, up, config, layout, prefix)
    yield from _linear("feedforward.down", f, (("down", c, as_it_is),), config, layout, prefix)


def _norm(ours: str, theirs: str, config: ModelConfig) -> Iterator[tuple[str, tuple[Part, ...]]]:
    yield f"{ours}.weight", (Part(f"{theirs}.weight", (config.d_model,)),)
    if config.norm == "layernorm":
        yield f"{ours}.bias", (Part(f"{theirs}.bias", (config.d_model,)),)


def _linear(
    ours: str, inputs: int, rows: Rows, config: ModelConfig, layout: Layout, prefix: str
) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """A linear layer whose rows come from one or several of theirs; a bias that they do not have is zero."""
    weights, biases = list[Part](), list[Part]()
    for field, outputs, turn in rows:
        name = prefix + getattr(layout.names, field)
        shape = (inputs, outputs) if layout.matrix is transposed else (outputs, inputs)
        weights.append(Part(f"{name}.weight", shape, layout.matrix if turn is as_it_is else turn))
        biases.append(Part(f"{name}.bias" if field in layout.biased else None, (outputs,), turn))
    yield f"{ours}.weight", tuple(weights)
    if config.bias:
        yield f"{ours}.bias", tuple(biases)


# ---------------------------------------------------------------------- from the files


def plan_for(
    config: ModelConfig, layout: Layout, files: TensorFiles, where: object, unused: Callable[[str], bool]
) -> Plan:
    """Where each of our tensors comes from; every one that is needed is there, of its shape, and no other.

    Args:
        unused: whether a tensor of that name computes nothing.

    Raises:
        InputError: one is missing, of another shape or type, or not known.
    """
    if config.n_layers > len(files.entries):  # else a number in a small file would ask for endless plans
        raise InputError(
            f"{where} has {len(files.entries):,} tensors, and its configuration asks for {config.n_layers:,} layers: "
            "they are not of one model"
        )
    made = plan(config, layout)
    _check(made, files, where, unused)
    return made


def _check(made: Plan, files: TensorFiles, where: object, unused: Callable[[str], bool]) -> None:
    needed = {part.name: part for parts in made.values() for part in parts if part.name is not None}
    for name, part in needed.items():
        entry = files.entries.get(name)
        if entry is None:
            raise InputError(f"{where} has no tensor {shown(name)}: take a whole copy of the model")
        if entry.shape != part.shape:
            raise InputError(
                f"{where} has {shown(name)} of shape {entry.shape}, and its configuration asks for {part.shape}: "
                "they are not of one model"
            )
        files.dtype(name)
    for name in files.entries:
        if name not in needed and not unused(name):
            raise InputError(
                f"{where} has a tensor {shown(name)}, which Pellucid's model has no place for: "
                "it would not compute the same, so it is not imported"
            )


def dtype_of(parts: tuple[Part, ...], files: TensorFiles) -> torch.dtype:
    """What one of our tensors is kept as: the type its parts have in the file, float32 where they differ."""
    kinds = {files.dtype(part.name) for part in parts if part.name is not None}
    return kinds.pop() if len(kinds) == 1 else torch.float32


def shape_of(parts: tuple[Part, ...]) -> Shape:
    """The shape of one of our tensors: a turn only swaps what it swaps, and parts stand below one another."""
    first = parts[0]
    rest = first.shape[::-1] if first.turn is transposed else first.shape
    rows = sum(part.shape[-1] if part.turn is transposed else part.shape[0] for part in parts)
    return (rows, *rest[1:])


def assemble(parts: tuple[Part, ...], files: TensorFiles) -> Tensor:
    """One of our tensors, in the type that `dtype_of` says."""
    dtype = dtype_of(parts, files)
    read = [
        torch.zeros(part.shape, dtype=dtype)
        if part.name is None
        else part.turn(files.read(part.name)).to(dtype)
        for part in parts
    ]
    return (torch.cat(read) if len(read) > 1 else read[0]).contiguous()


def n_bytes(parts: tuple[Part, ...], files: TensorFiles) -> int:
    """What one of our tensors takes in a file."""
    return math.prod(shape_of(parts)) * dtype_of(parts, files).itemsize
