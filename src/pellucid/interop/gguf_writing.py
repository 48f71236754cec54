"""A run as a GGUF file, for llama.cpp and what is built on it, written tensor by tensor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.assembling import taken_apart
from pellucid.interop.blocks import BLOCK
from pellucid.interop.gguf_architectures import Twin, hyperparameters, twin_of
from pellucid.interop.gguf_vocabulary import vocabulary
from pellucid.interop.mapping import Plan, plan
from pellucid.interop.names import GGUF_NAMES
from pellucid.interop.stand_ins import Weights, Written, check_left_out, check_unplaced
from pellucid.model.config import ModelConfig
from pellucid.text.template import Template
from pellucid.text.tokenizers.tokenizer import Tokenizer

TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "q8_0": "Q8_0", "q4_0": "Q4_0"}
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32}  # general.file_type
QUANTISED = ("Q8_0", "Q4_0")
QUANTISATION_VERSION = 2
LARGEST_F16 = 65504.0
# llama.cpp keeps these in float32 whatever the type of the file: the choice of experts, and positions.
ALWAYS_F32 = (GGUF_NAMES.router, GGUF_NAMES.positions)

Advanced = Callable[[int, int], object]


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        arch: llama.cpp's name of the architecture.
        kind: the type asked for, such as "Q8_0".
        kinds: how many tensors each type has.
        whole: matrices that are not of that type because their rows do not divide into blocks, or their numbers are
            too large for it.
        n_bytes: of the file.
    """

    path: Path
    arch: str
    kind: str
    kinds: dict[str, int]
    whole: tuple[str, ...]
    n_bytes: int


@dataclasses.dataclass(frozen=True)
class Model:
    """What is exported: a model's weights and all that a file says beside them.

    Args:
        names: of all its tensors.
        licence: what it says of itself, if anything.
    """

    name: str
    config: ModelConfig
    weights: Weights
    names: tuple[str, ...]
    tokenizer: Tokenizer
    template: Template | None = None
    licence: str | None = None


def write_gguf(path: Path, model: Model, kind: str = "f16", advanced: Advanced | None = None) -> Exported:
    """Write a model as GGUF; no more than one of its tensors is in memory at a time.

    Matrices are written in the type asked for. Norms, biases, positions and what chooses experts stay in float32; with
    4 bits the matrix of logits has 8, as it loses most by them. Rows that do not divide into blocks of 32 are float16.

    Args:
        kind: a key of TYPES.
        advanced: hears how many bytes of how many are written.

    Raises:
        InputError: llama.cpp has no exact twin of the model or of its tokenizer.
    """
    if kind not in TYPES:
        raise InputError(f"--type {kind} is unknown: choose one of {', '.join(TYPES)}")
    twin = twin_of(model.config)
    tokens = vocabulary(model.tokenizer, model.config.vocab_size, model.template)
    made = plan(twin.config, twin.layout)
    where = f"llama.cpp's {twin.arch.name}"
    check_unplaced(model.weights, list(model.names), made, where)
    writer = _Writer(model, twin, made, TYPES[kind])
    return writer.write(path, tokens, advanced or (lambda done, total: None))


class _Writer:
    """One file: what it will hold is known before anything is written."""

    def __init__(self, model: Model, twin: Twin, made: Plan, kind: str) -> None:
        self.model, self.twin, self.plan, self.kind = model, twin, made, kind
        self.written = Written(model.weights, model.config)
        self.kinds = dict[str, str]()  # of each tensor, by its name in the file
        self.whole = list[str]()
        self.shapes = dict[str, tuple[int, ...]]()
        for name, tensor in self._tensors():  # read twice: whether numbers fit is to be known first
            self.shapes[name], self.kinds[name] = tuple(tensor.shape), self._kind_of(name, tensor)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors of the file, in float32."""
        for ours, place in self.plan.items():
            tensor = self.written.read(ours, place.shape)
            check_left_out(ours, place, tensor, f"llama.cpp's {self.twin.arch.name}")
            yield from taken_apart(place, tensor)

    def _kind_of(self, name: str, tensor: Tensor) -> str:
        """What a tensor is written as."""
        is_norm = "norm" in name or name.endswith(".bias") or tensor.dim() == 1
        if is_norm or any(part in name for part in ALWAYS_F32 if part):
            return "F32"
        kind = self.kind
        if kind == "Q4_0" and name == self._logits:
            kind = "Q8_0"
        if kind in QUANTISED and tensor.shape[-1] % BLOCK:
            kind = "F16"
            self.whole.append(name)
        if (
            kind not in ("F32", "BF16") and tensor.abs().max() > LARGEST_F16
        ):  # scales of blocks are float16, too
            kind = "F32"
            self.whole.append(name)
        return kind

    @property
    def _logits(self) -> str:
        """The name of the matrix that logits come from."""
        tied = self.twin.config.tie_embeddings
        return f"{GGUF_NAMES.embedding if tied else GGUF_NAMES.head}.weight"

    def write(self, path: Path, tokens: dict[str, Any], advanced: Advanced) -> Exported:
        import gguf

        kinds = {name: gguf.GGMLQuantizationType[kind] for name, kind in self.kinds.items()}
        writer = gguf.GGUFWriter(path, self.twin.arch.name)
        for key, value in {**self._about(), **hyperparameters(self.twin), **tokens}.items():
            _add(writer, key, value)
        total = 0
        for name, shape in self.shapes.items():
            block, block_bytes = gguf.GGML_QUANT_SIZES[kinds[name]]
            n_bytes = math.prod(shape) // block * block_bytes
            writer.add_tensor_info(name, shape, np.dtype(np.float32), n_bytes, kinds[name])
            total += n_bytes
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            done = 0
            for name, tensor in self._tensors():
                data = gguf.quants.quantize(tensor.numpy(), kinds[name])
                writer.write_tensor_data(data)
                done += data.nbytes
                advanced(done, total)
        finally:
            writer.close()
        counts = {kind: list(self.kinds.values()).count(kind) for kind in dict.fromkeys(self.kinds.values())}
        arch = self.twin.arch.name
        return Exported(path, arch, self.kind, counts, tuple(self.whole), path.stat().st_size)

    def _about(self) -> dict[str, Any]:
        licence = {"general.license": self.model.licence} if self.model.licence else {}
        return {
            "general.type": "model",
            "general.name": self.model.name,
            **licence,
            "general.file_type": FILE_TYPES[self.kind],
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
