"""Numbers for the page: a JSON header and raw arrays in one run of bytes.

N as a little-endian uint32; N bytes of UTF-8 JSON; zeros to a multiple of 8; the arrays, each at a multiple of 8. The
header lists them under "arrays", with offsets counted from where the first one begins.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from typing import Any

import numpy as np

ALIGNMENT = 8
DTYPES = {"float32": np.dtype("<f4"), "uint8": np.dtype("u1")}


@dataclasses.dataclass(frozen=True)
class Frame:
    """An answer whose large parts are arrays: float32 or uint8."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def encode(self) -> bytes:
        listed, parts, offset = [], [], 0
        for name, array in self.arrays.items():
            kind = array.dtype.name
            data = np.ascontiguousarray(array, DTYPES[kind]).tobytes()
            listed.append({"name": name, "dtype": kind, "shape": list(array.shape), "offset": offset})
            parts.append(_padded(data))
            offset += len(parts[-1])
        header = json.dumps({**self.header, "arrays": listed}, ensure_ascii=False, allow_nan=False).encode()
        return b"".join([_padded(struct.pack("<I", len(header)) + header), *parts])

    @classmethod
    def decode(cls, data: bytes) -> Frame:
        """Raises: ValueError, KeyError or struct.error when the bytes are no whole frame."""
        (size,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + size])
        begin = -(-(4 + size) // ALIGNMENT) * ALIGNMENT
        arrays = {}
        for each in header.pop("arrays"):
            count = math.prod(each["shape"])
            flat = np.frombuffer(data, DTYPES[each["dtype"]], count, begin + each["offset"])
            arrays[each["name"]] = flat.reshape(each["shape"])
        return cls(header, arrays)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON: arrays as lists of lists."""
        return {**self.header, **{name: array.tolist() for name, array in self.arrays.items()}}


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
