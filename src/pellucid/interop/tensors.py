"""Numbers in a file: where each tensor lies, checked before anything is read, and read one at a time.

The same for safetensors and GGUF, which differ only in how they say where things are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.blocks import PLAIN, QUANTISED, dequantised

MOST_TENSORS = 1 << 16
MOST_NAME = 512
MOST_VALUES = 1 << 40  # of one tensor


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor of a file.

    Args:
        path: the file.
        name: its name there.
        kind: F32, F16, BF16 or the name of a quantisation; others are kept, and refused when they are needed.
        shape: rows first, as torch has it.
        start, n_bytes: where it lies in the file.
    """

    path: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    start: int
    n_bytes: int


class TensorFiles:
    """All tensors of a model, over one or several files that are mapped, not read.

    Raises:
        InputError: a name is there twice, or one reaches beyond its file or into another.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: dict[str, Entry] = {}
        for entry in entries:
            if entry.name in self.entries:
                raise InputError(
                    f"{entry.path} has the tensor {shown(entry.name)} twice: take a whole copy of it"
                )
            self.entries[entry.name] = entry
        self._check_places()
        self._maps: dict[Path, np.ndarray] = {}

    def _check_places(self) -> None:
        ends: dict[Path, int] = {}
        sizes: dict[Path, int] = {}
        for entry in sorted(self.entries.values(), key=lambda entry: (entry.start, entry.n_bytes)):
            size = sizes.setdefault(entry.path, entry.path.stat().st_size)
            if entry.start < ends.get(entry.path, 0):
                raise InputError(
                    f"{entry.path} is damaged: the tensor {shown(entry.name)} overlaps another; take a whole copy of it"
                )
            if entry.start + entry.n_bytes > size:
                raise InputError(
                    f"{entry.path} is cut off: the tensor {shown(entry.name)} ends at byte "
                    f"{entry.start + entry.n_bytes:,} of {size:,}; take a whole copy of it"
                )
            ends[entry.path] = entry.start + entry.n_bytes

    def dtype(self, name: str) -> torch.dtype:
        """What a tensor is read as: its own type, or float32 for a quantised one.

        Raises:
            InputError: its numbers are of a type that is not read.
        """
        entry = self.entries[name]
        if entry.kind in QUANTISED:
            return torch.float32
        if entry.kind not in PLAIN:
            raise InputError(
                f"{entry.path} has {shown(name)} in {entry.kind}: the types that are read are "
                f"{', '.join([*PLAIN, *QUANTISED])}; take another copy of the model"
            )
        return PLAIN[entry.kind]

    def read(self, name: str) -> Tensor:
        """One tensor, in memory of its own.

        Raises:
            InputError: it holds numbers that are not finite.
        """
        entry, dtype = self.entries[name], self.dtype(name)
        if entry.path not in self._maps:
            self._maps[entry.path] = np.memmap(entry.path, np.uint8, "r").view(np.ndarray)
        data = self._maps[entry.path][entry.start : entry.start + entry.n_bytes]
        if entry.kind in QUANTISED:
            tensor = torch.from_numpy(dequantised(data, entry.kind)).view(entry.shape)
        else:
            tensor = torch.from_numpy(data.copy()).view(dtype).view(entry.shape)
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"{entry.path} holds numbers that are not finite, in {shown(name)}: take another copy"
            )
        return tensor


def n_values(shape: tuple[int, ...]) -> int:
    """How many numbers a tensor holds, in Python's unbounded whole numbers."""
    return math.prod(shape)


def shown(name: str) -> str:
    """A name from a file, for a message: short and harmless."""
    text = ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}…"
