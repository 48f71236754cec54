"""The weights of a run, read one tensor at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.safetensors_files import safetensors_entries
from pellucid.interop.tensors import TensorFiles
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.training.base import weights_at
from pellucid.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Lazy:
    """A tensor that is made when it is asked for, and not kept."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Weights:
    """A model: its configuration and its tensors by name; a tied head is the embedding, and is not there."""

    config: ModelConfig
    tensors: dict[str, Lazy]

    @property
    def dtype(self) -> torch.dtype:
        """The type of its numbers; float32 where they differ."""
        kinds = {tensor.dtype for tensor in self.tensors.values()}
        return kinds.pop() if len(kinds) == 1 else torch.float32


def kept(tensor: Tensor) -> Lazy:
    """One that is in memory already."""
    return Lazy(tuple(tensor.shape), tensor.dtype, lambda: tensor)


def weights_of(run: RunFolder, step: int | str = "best") -> Weights:
    """The weights of a run: its best ones, or those of a checkpoint.

    Raises:
        InputError: there are none, or they do not fit its config.json.
    """
    config = ModelConfig.from_dict(run.config()["model"])
    if isinstance(step, int):
        tensors = {name: kept(tensor) for name, tensor in weights_at(run, step).items()}
        where = run.checkpoints.path(step)
    elif step == "best":
        where = run.model_path
        if not where.exists():
            raise InputError(
                f"{run.path} has no weights yet: go on with `pellucid train --resume --out {run.path}`"
            )
        files = TensorFiles(safetensors_entries(where))
        tensors = {name: _in_file(files, name) for name in files.entries}
    else:
        raise InputError(f"a step is a number or best, not {step!r}")
    with torch.device("meta"):
        wanted = build_model(config).state_dict()
    if config.architecture == "transformer" and config.tie_embeddings:
        del wanted["head.weight"]
    shapes = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    for name in sorted(shapes.keys() | tensors.keys()):
        if name not in tensors or tensors[name].shape != shapes.get(name):
            raise InputError(f"{where} does not fit its config.json, in {name}: restore the run from a copy")
    return Weights(config, {name: tensors[name] for name in shapes})


def _in_file(files: TensorFiles, name: str) -> Lazy:
    return Lazy(files.entries[name].shape, files.dtype(name), lambda: files.read(name))
