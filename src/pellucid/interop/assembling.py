"""Our tensors from those of a file, and the reverse, one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.mapping import Layout, Place, Plan, plan
from pellucid.interop.tensors import TensorFiles, shown
from pellucid.model.config import ModelConfig
from pellucid.text.wording import size

# bytes: a context of a million tokens with heads of 128, as the longest of these families have
MOST_ANGLES = 1 << 30


def plan_for(
    config: ModelConfig, layout: Layout, files: TensorFiles, where: object, unused: Callable[[str], bool]
) -> Plan:
    """Where each of our tensors comes from; every one that is needed is there, of its shape, and no other.

    Args:
        unused: whether a tensor of that name computes nothing.

    Raises:
        InputError: one is missing, of another shape or type, or not known.
    """
    # else a number in a small file would ask for endless plans
    many = {"layers": config.n_layers}
    if "{e}" in layout.names.experts_down:
        many["experts"] = config.n_layers * config.n_experts
    for what, count in many.items():
        if count > len(files.entries):
            raise InputError(
                f"{where} has {len(files.entries):,} tensors, and its configuration asks for {count:,} {what}: "
                "they are not of one model"
            )
    angles = 2 * 4 * config.head_dim * config.context_length  # a sine and a cosine in float32
    if config.positions == "rotary" and angles > MOST_ANGLES:
        raise InputError(
            f"{where} asks for a context of {config.context_length:,} tokens, whose rotary angles alone would take "
            f"{size(angles)}: ask for a shorter one in a copy of its configuration"
        )
    made = plan(config, layout)
    _check(made, files, where, unused)
    return made


def _check(made: Plan, files: TensorFiles, where: object, unused: Callable[[str], bool]) -> None:
    needed = {part.name: part for place in made.values() for part in place.parts if part.name is not None}
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


def dtype_of(place: Place, files: TensorFiles) -> torch.dtype:
    """What one of our tensors is kept as: the type its parts have in the file, float32 where they differ."""
    kinds = {files.dtype(part.name) for part in place.parts if part.name is not None}
    return kinds.pop() if len(kinds) == 1 else torch.float32


def assemble(place: Place, files: TensorFiles) -> Tensor:
    """One of our tensors, in the type that `dtype_of` says."""
    dtype = dtype_of(place, files)
    read = [
        torch.zeros(part.shape, dtype=dtype)
        if part.name is None
        else part.turn(files.read(part.name)).to(dtype)
        for part in place.parts
    ]
    joined = torch.cat(read, dim=place.along) if len(read) > 1 else read[0]
    return joined.reshape(place.shape).contiguous()


def taken_apart(place: Place, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The reverse of `assemble`: what a file calls the parts of one of our tensors, and those as it keeps them.

    Parts that no file has are zeros, and left out; whoever writes one has made sure of that.
    """
    along = place.along
    sizes = [part.turn.shape(part.shape)[along] for part in place.parts]
    for part, rows in zip(place.parts, tensor.reshape(place.joined).split(sizes, dim=along), strict=True):
        if part.name is not None:
            yield part.name, part.turn.back(rows).contiguous()


def n_bytes(place: Place, files: TensorFiles) -> int:
    """What one of our tensors takes in a file."""
    return math.prod(place.shape) * dtype_of(place, files).itemsize
