"""A run as a GGUF file, for llama.cpp and what is built on it, written tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.assembling import taken_apart
from pellucid.interop.blocks import BLOCK
from pellucid.interop.ends import written_template
from pellucid.interop.exportable import Exportable, Written
from pellucid.interop.fillers import KEY, filled_in
from pellucid.interop.gguf_architectures import Twin, hyperparameters, twin_of
from pellucid.interop.gguf_vocabulary import vocabulary
from pellucid.interop.mapping import Place, plan
from pellucid.interop.names import GGUF_NAMES
from pellucid.interop.writing import Advanced

TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0", "q4_0": "Q4_0"}
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32}  # general.file_type
QUANTISED = ("Q8_0", "Q4_0")
QUANTISATION_VERSION = 2
LARGEST_F16 = 65504.0
# llama.cpp keeps these in float32 whatever the type of the file: the choice of experts, and positions.
ALWAYS_F32 = (GGUF_NAMES.router, GGUF_NAMES.positions)


def write(model: Exportable, path: Path, advanced: Advanced, type: str = "f16") -> Written:
    """Write a run as GGUF; no more than one of its tensors is in memory at a time.

    Matrices are written in the type asked for. Norms, biases, positions and what chooses experts stay in float32; with
    4 bits the matrix of logits has 8, as it loses most by them. Rows that do not divide into blocks of 32 are float16.

    Args:
        type: a key of TYPES.
        advanced: hears how many bytes of how many are written.

    Raises:
        InputError: llama.cpp has no exact twin of the model or of its tokenizer.
    """
    if type not in TYPES:
        raise InputError(f"{type!r} is no type of numbers in GGUF: choose {', '.join(TYPES)}")
    twin = twin_of(model.weights)
    template, left_out = written_template(model.template)
    tokens = vocabulary(model.tokenizer, twin.config.vocab_size, template)
    file = _File(twin, TYPES[type])
    filled = filled_in(model.weights.config, twin.config)
    said = {f"{KEY}.{name}": value for name, value in filled.items()}
    file.write(path, {**_about(model, TYPES[type]), **said, **hyperparameters(twin), **tokens}, advanced)
    return Written(twin.arch.name, [*twin.changes, *left_out, *file.notes()])


class _File:
    """One file: what it will hold is known before anything is written."""

    def __init__(self, twin: Twin, kind: str) -> None:
        self.twin, self.kind = twin, kind
        self.places = plan(twin.config, twin.layout)
        self.kinds = dict[str, str]()  # of each tensor, by its name in the file
        self.shapes = dict[str, tuple[int, ...]]()
        self.uneven, self.large = list[str](), list[str]()  # that are not of that type, and why
        for name, tensor in self._tensors():  # read twice: whether numbers fit is to be known first
            self.shapes[name], self.kinds[name] = tuple(tensor.shape), self._kind_of(name, tensor)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors of the file, in float32."""
        for ours, place in self.places.items():
            tensor = self.twin.weights.tensors[ours].read().float()
            self._check_left_out(ours, place, tensor)
            yield from taken_apart(place, tensor)

    def _check_left_out(self, name: str, place: Place, tensor: Tensor) -> None:
        """Raises: InputError where rows that the file has no tensor for are not zero."""
        sizes = [part.turn.shape(part.shape)[place.along] for part in place.parts]
        rows = tensor.reshape(place.joined).split(sizes, dim=place.along)
        for part, some in zip(place.parts, rows, strict=True):
            if part.name is None and some.any():
                raise InputError(
                    f"llama.cpp's {self.twin.arch.name}, which computes the rest of this model, has no place for "
                    f"{name}, and it is not zero: train a model with --no-bias to export it"
                )

    def _kind_of(self, name: str, tensor: Tensor) -> str:
        """What a tensor is written as."""
        if tensor.dim() == 1 or any(part in name for part in ALWAYS_F32):
            return "F32"
        kind = self.kind
        if kind == "Q4_0" and name == self._logits:
            kind = "Q8_0"
        if kind in QUANTISED and tensor.shape[-1] % BLOCK:
            kind = "F16"
            self.uneven.append(name)
        # the scale of a block is float16
        if kind not in ("F32", "BF16") and tensor.abs().max() > LARGEST_F16:
            kind = "F32"
            self.large.append(name)
        return kind

    @property
    def _logits(self) -> str:
        """The name of the matrix that logits come from."""
        tied = self.twin.config.tie_embeddings
        return f"{GGUF_NAMES.embedding if tied else GGUF_NAMES.head}.weight"

    def notes(self) -> list[str]:
        """What is not of the type asked for, in words."""
        told = list[str]()
        if self.kind == "Q4_0" and self.kinds[self._logits] == "Q8_0":
            told.append("the matrix of logits has 8 bits a number, as it loses most by 4")
        if self.uneven:
            told.append(
                f"{_named(self.uneven)} in float16: rows that do not divide into blocks of {BLOCK} are not quantised"
            )
        if self.large:
            told.append(f"{_named(self.large)} in float32: numbers above {LARGEST_F16:,.0f} are no float16")
        return told

    def write(self, path: Path, metadata: dict[str, Any], advanced: Advanced) -> None:
        import gguf

        kinds = {name: gguf.GGMLQuantizationType[kind] for name, kind in self.kinds.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = gguf.GGUFWriter(path, self.twin.arch.name)
        for key, value in metadata.items():
            _add(writer, key, value)
        total, done = 0, 0
        for name, shape in self.shapes.items():
            block, block_bytes = gguf.GGML_QUANT_SIZES[kinds[name]]
            n_bytes = math.prod(shape) // block * block_bytes
            writer.add_tensor_info(name, shape, np.dtype(np.float32), n_bytes, kinds[name])
            total += n_bytes
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for name, tensor in self._tensors():
                data = gguf.quants.quantize(tensor.numpy(), kinds[name])
                writer.write_tensor_data(data)
                done += data.nbytes
                advanced(done, total)
        finally:
            writer.close()


def _named(tensors: list[str]) -> str:
    """The first of them, and how many more."""
    more = f" and {len(tensors) - 1} more" if len(tensors) > 1 else ""
    return f"{tensors[0]}{more}, kept"


def _about(model: Exportable, kind: str) -> dict[str, Any]:
    """The metadata about the file as a whole."""
    return {
        "general.type": "model",
        "general.name": model.run.name,
        **({"general.license": model.licence} if model.licence else {}),
        "general.file_type": FILE_TYPES[kind],
        "general.quantization_version": QUANTISATION_VERSION,
    }


def _add(writer: Any, key: str, value: Any) -> None:
    """One key of the metadata, by the type of its value."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)
