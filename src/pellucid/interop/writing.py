"""A safetensors file written tensor by tensor, so that no more than one of them is in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from pellucid.interop.assembling import assemble, dtype_of, n_bytes
from pellucid.interop.mapping import Plan
from pellucid.interop.tensors import TensorFiles

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
ALIGNMENT = 8  # of the first number, as the format asks


def write_model(path: Path, plan: Plan, files: TensorFiles, advanced: Callable[[int, int], object]) -> None:
    """Write what `plan` makes of `files`; `advanced` hears the bytes written and those there will be.

    Numbers keep the type they have in the file: bfloat16 and float16 are exact in float32, take half the room, and
    become float32 when the model is loaded. Quantised ones are written in float32.

    Raises:
        InputError: a tensor holds numbers that are not finite.
    """
    header, end = dict[str, object](), 0
    for name, place in plan.items():
        start, end = end, end + n_bytes(place, files)
        shape, dtype = list(place.shape), NAMES[dtype_of(place, files)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    done = 0
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for place in plan.values():
            tensor = assemble(place, files)
            tensor.flatten().view(torch.uint8).numpy().tofile(file)
            done += tensor.nbytes
            advanced(done, end)
