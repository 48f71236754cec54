"""The header of a GGUF file: metadata and the places of its tensors, each length checked before it is believed.

Own and small instead of the gguf package's reader, which maps what a file says without checking that it is there.
Source: the GGUF specification (ggml, `docs/gguf.md`), versions 2 and 3, little-endian.
"""

from __future__ import annotations

import dataclasses
import math
import mmap
import struct
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.blocks import BLOCK, BLOCKS, PACKED
from pellucid.interop.opening import opened
from pellucid.interop.tensors import MOST_NAME, MOST_TENSORS, MOST_VALUES, Entry, TensorFiles, n_values, shown

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS = 1 << 16
# in all arrays together: the largest vocabularies have 262,144 tokens and as many merges
MOST_ITEMS = 1 << 22
MOST_TEXT = 1 << 24  # bytes of one text, such as a chat template
MOST_HEADER = 1 << 28  # bytes; that of the largest vocabularies takes 20 million
MOST_DIMENSIONS = 4
MOST_ALIGNMENT = 1 << 16

NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
STRING, ARRAY = 8, 9
TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    30: ("BF16", 1, 2),
} | {  # number: name, values a block, bytes a block
    number: (name, BLOCK, BLOCKS[name].n_bytes) for number, name in ((2, "Q4_0"), (3, "Q4_1"), (8, "Q8_0"))
}
TYPES |= {
    number: (name, *PACKED[name])
    for number, name in (
        (6, "Q5_0"),
        (7, "Q5_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (12, "Q4_K"),
        (13, "Q5_K"),
        (14, "Q6_K"),
        (20, "IQ4_NL"),
        (23, "IQ4_XS"),
    )
}
# Those that are not read: their names make the refusal clear.
OTHER_TYPES = {
    9: "Q8_1",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    21: "IQ3_S",
    22: "IQ2_S",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
}


@dataclasses.dataclass(frozen=True)
class Gguf:
    """What a GGUF file says: its metadata by key, and where its tensors lie."""

    metadata: dict[str, Any]
    files: TensorFiles


def read_gguf(path: Path) -> Gguf:
    """The header of a GGUF file; no number of a tensor is read.

    Raises:
        InputError: it is no GGUF file, of another version, cut off or damaged, or quantised in a way not known here.
    """
    file, size = opened(path)
    with file:
        if size < 24:
            raise InputError(f"{path} is too short to be a GGUF file: take a whole copy of it")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Header(path, data).read()


class _Header:
    """Reads on from where it is, and never beyond the end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.place, self.items = path, data, 0, 0

    def read(self) -> Gguf:
        if self.data[:4] != MAGIC:
            raise InputError(f"{self.path} is no GGUF file: give a .gguf file, or the folder of a model")
        self.place = 4
        version = self.number("<I")
        if version not in VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
            what = "is big-endian" if swapped else f"has GGUF version {version}"
            raise InputError(
                f"{self.path} {what}; little-endian files of version 2 and 3 are read: take another copy"
            )
        n_tensors, n_keys = self.number("<Q"), self.number("<Q")
        if n_tensors > MOST_TENSORS or n_keys > MOST_KEYS:
            raise self.damaged(f"it tells of {n_tensors:,} tensors and {n_keys:,} keys")
        metadata = dict[str, Any]()
        for _ in range(n_keys):
            key = self.string()
            if key in metadata:
                raise self.damaged(f"it has the key {shown(key)} twice")
            metadata[key] = self.value(self.number("<I"))
        tensors = [self.tensor() for _ in range(n_tensors)]
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 1 <= alignment <= MOST_ALIGNMENT or alignment & (alignment - 1):
            raise self.damaged(f"its alignment is {alignment!r}")
        start = -(-self.place // alignment) * alignment
        if misplaced := [entry for entry in tensors if entry.start % alignment]:
            raise self.damaged(f"the tensor {shown(misplaced[0].name)} does not lie where tensors begin")
        moved = (dataclasses.replace(entry, start=start + entry.start) for entry in tensors)
        return Gguf(metadata, TensorFiles(moved))

    # ------------------------------------------------------------------ values

    def number(self, layout: str) -> Any:
        self._need(struct.calcsize(layout))
        (value,) = struct.unpack_from(layout, self.data, self.place)
        self.place += struct.calcsize(layout)
        return value

    def string(self) -> str:
        length = self.number("<Q")
        if length > MOST_TEXT:
            raise self.damaged(f"it has a text of {length:,} bytes")
        self._need(length)
        text = self.data[self.place : self.place + length]
        self.place += length
        return text.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A number, truth value or text, or a list of them."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            raise self.damaged(f"it has a value of type {kind}")
        item, length = self.number("<I"), self.number("<Q")
        self.items += length
        if item not in NUMBERS and item != STRING:
            raise self.damaged(f"it has a list of type {item}")
        if self.items > MOST_ITEMS:
            raise self.damaged(f"its lists have {self.items:,} items")
        if item == STRING:
            self._need(8 * length)
            return [self.string() for _ in range(length)]
        layout = f"<{length}{NUMBERS[item][1:]}"
        self._need(struct.calcsize(layout))
        values = list(struct.unpack_from(layout, self.data, self.place))
        self.place += struct.calcsize(layout)
        return values

    def tensor(self) -> Entry:
        """One tensor's place, counted from where tensors begin."""
        name = self.string()
        n_dimensions = self.number("<I")
        if len(name) > MOST_NAME or not 1 <= n_dimensions <= MOST_DIMENSIONS:
            raise self.damaged(f"what it says of the tensor {shown(name)} does not fit together")
        # the fastest dimension stands first
        shape = tuple(self.number("<Q") for _ in range(n_dimensions))[::-1]
        number, start = self.number("<I"), self.number("<Q")
        if number in OTHER_TYPES or number not in TYPES:
            kind = OTHER_TYPES.get(number, f"type {number}")
            raise InputError(
                f"{self.path} has {shown(name)} in {kind}: the types that are read are "
                f"{', '.join(name for name, _, _ in TYPES.values())}; take a copy of the model in one of them"
            )
        kind, block, block_bytes = TYPES[number]
        values = n_values(shape)
        if not 0 < values <= MOST_VALUES or shape[-1] % block:
            raise self.damaged(f"the tensor {shown(name)} has shape {shape[:4]} in {kind}")
        return Entry(self.path, name, kind, shape, start, values // block * block_bytes)

    def _need(self, n_bytes: int) -> None:
        if n_bytes > len(self.data) - self.place:
            raise self.damaged("it ends within its header")
        if self.place + n_bytes > MOST_HEADER:
            raise self.damaged(f"its header is longer than {MOST_HEADER >> 20} MiB")

    def damaged(self, reason: str) -> InputError:
        return InputError(f"{self.path} is cut off or damaged ({reason}): take a whole copy of it")


def tidy(value: Any) -> Any:
    """A number that was kept in 32 bits, as a person would have written it: 1e-05, not 9.999999747378752e-06."""
    if type(value) is not float or not math.isfinite(value):
        return value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == struct.pack("<f", value):
            return short
    return value
