"""What makes a tensor of a file ours, and ours the file's: there and back.

Shapes: C d_model, D head size.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Turn(Protocol):
    """What makes a tensor of a file ours, and ours the file's."""

    def __call__(self, tensor: Tensor) -> Tensor: ...
    def back(self, tensor: Tensor) -> Tensor: ...
    def shape(self, theirs: Shape) -> Shape:
        """Of ours."""
        ...

    def theirs(self, ours: Shape) -> Shape:
        """The reverse of `shape`."""
        ...


class AsItIs:
    """The same in both."""

    def __call__(self, tensor: Tensor) -> Tensor:
        return tensor

    back = __call__

    def shape(self, theirs: Shape) -> Shape:
        return theirs

    def theirs(self, ours: Shape) -> Shape:
        return ours


class Transposed:
    """GPT-2 keeps its matrices as (in, out)."""

    def __call__(self, tensor: Tensor) -> Tensor:
        return tensor.T

    back = __call__

    def shape(self, theirs: Shape) -> Shape:
        return theirs[::-1]

    def theirs(self, ours: Shape) -> Shape:
        return ours[::-1]


@dataclasses.dataclass(frozen=True)
class HalfSplit(AsItIs):
    """Rows of interleaved rotary pairs (2i, 2i + 1) put as ours are, (i, i + D/2), head by head."""

    head_dim: int

    def __call__(self, tensor: Tensor) -> Tensor:
        pairs = tensor.view(-1, self.head_dim // 2, 2, *tensor.shape[1:])
        return pairs.transpose(1, 2).reshape(tensor.shape)

    def back(self, tensor: Tensor) -> Tensor:
        halves = tensor.view(-1, 2, self.head_dim // 2, *tensor.shape[1:])
        return halves.transpose(1, 2).reshape(tensor.shape)


@dataclasses.dataclass(frozen=True)
class Without:
    """All rows but the first few, which the model never reads."""

    n_rows: int

    def __call__(self, tensor: Tensor) -> Tensor:
        return tensor[self.n_rows :]

    def back(self, tensor: Tensor) -> Tensor:
        return torch.cat([tensor.new_zeros(self.n_rows, *tensor.shape[1:]), tensor])

    def shape(self, theirs: Shape) -> Shape:
        return (theirs[0] - self.n_rows, *theirs[1:])

    def theirs(self, ours: Shape) -> Shape:
        return (ours[0] + self.n_rows, *ours[1:])


as_it_is, transposed = AsItIs(), Transposed()
