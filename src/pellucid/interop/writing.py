"""safetensors files written tensor by tensor, so that no more than one of them is in memory."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pellucid.interop.assembling import assemble, dtype_of
from pellucid.interop.mapping import Plan
from pellucid.interop.tensors import TensorFiles

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
ALIGNMENT = 8  # of the first number, as the format asks
Advanced = Callable[[int, int], object]


@dataclasses.dataclass(frozen=True)
class Piece:
    """A tensor that will be written."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def write_model(path: Path, plan: Plan, files: TensorFiles, advanced: Advanced) -> None:
    """Write what `plan` makes of `files`; `advanced` hears the bytes written and those there will be.

    Numbers keep the type they have in the file: bfloat16 and float16 are exact in float32, take half the room, and
    become float32 when the model is loaded. Quantised ones are written in float32.

    Raises:
        InputError: a tensor holds numbers that are not finite.
    """
    pieces = [Piece(name, place.shape, dtype_of(place, files)) for name, place in plan.items()]
    total = sum(piece.n_bytes for piece in pieces)
    tensors = (assemble(place, files) for place in plan.values())
    write_safetensors(path, pieces, told(tensors, total, advanced))


def told(tensors: Iterable[Tensor], total: int, advanced: Advanced) -> Iterator[Tensor]:
    """The same tensors; `advanced` hears of each as it is taken."""
    done = 0
    for tensor in tensors:
        done += tensor.nbytes
        advanced(done, total)
        yield tensor


def write_safetensors(
    path: Path, pieces: Sequence[Piece], tensors: Iterator[Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write the next `len(pieces)` of `tensors`, which must be what `pieces` say."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for piece in pieces:
        start, end = end, end + piece.n_bytes
        shape = list(piece.shape)
        header[piece.name] = {"dtype": NAMES[piece.dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for piece in pieces:
            tensor = next(tensors)
            assert (tuple(tensor.shape), tensor.dtype) == (piece.shape, piece.dtype), piece
            tensor.contiguous().flatten().view(torch.uint8).numpy().tofile(file)


def in_shards(pieces: Sequence[Piece], limit: int) -> list[list[Piece]]:
    """Pieces in their order, in as few files as it takes that none has more than `limit` bytes and a second tensor."""
    shards: list[list[Piece]] = [[]]
    room = limit
    for piece in pieces:
        if shards[-1] and piece.n_bytes > room:
            shards.append([])
            room = limit
        shards[-1].append(piece)
        room -= piece.n_bytes
    return shards
