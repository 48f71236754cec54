"""The header of a safetensors file, read by itself and checked before anything else is.

Format: an 8-byte length, that many bytes of JSON, then the numbers, without gaps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.opening import opened
from pellucid.interop.tensors import MOST_NAME, MOST_TENSORS, MOST_VALUES, Entry, n_values, shown

MOST_HEADER = 1 << 24  # bytes; a tensor takes about 100, and what is read of them some twenty times as much
BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}


def safetensors_entries(path: Path) -> list[Entry]:
    """Every tensor of a safetensors file.

    Raises:
        InputError: it is no safetensors file, cut off or damaged.
    """
    header, start = _header(path)
    header.pop("__metadata__", None)
    if len(header) > MOST_TENSORS:
        raise _damaged(path, f"it lists {len(header):,} tensors")
    entries = [_entry(path, name, value, start) for name, value in header.items()]
    end = start
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.n_bytes)):
        if entry.start != end:
            raise _damaged(
                path, f"the tensor {shown(entry.name)} does not begin where the one before it ends"
            )
        end = entry.start + entry.n_bytes
    if end != path.stat().st_size:
        raise _damaged(path, f"its header tells of {end:,} bytes and it has {path.stat().st_size:,}")
    return entries


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What the header says, and where the numbers begin."""
    file, size = opened(path)
    with file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MOST_HEADER):
            raise _damaged(path, "the length of its header does not fit the file")
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_no_name_twice)
    except (ValueError, RecursionError):
        raise _damaged(path, "its header is not valid") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not valid")
    return header, 8 + length


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is there twice")
    return values


def _entry(path: Path, name: str, value: Any, start: int) -> Entry:
    try:
        kind, shape, (first, last) = value["dtype"], value["shape"], value["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (first, last, *shape))
        sound = whole and type(kind) is str and kind in BYTES and len(name) <= MOST_NAME and len(shape) <= 8
    except (KeyError, TypeError, ValueError):
        kind, shape, first, last, sound = "", [], 0, 0, False
    if (
        not sound
        or n_values(tuple(shape)) > MOST_VALUES
        or n_values(tuple(shape)) * BYTES[kind] != last - first
    ):
        raise _damaged(path, f"what it says of the tensor {shown(name)} does not fit together")
    return Entry(path, name, kind, tuple(shape), start + first, last - first)


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} is no safetensors file, or is cut off or damaged ({reason}): take a whole copy of it"
    )
