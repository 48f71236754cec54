"""Adapters of PEFT for a run that was exported to Hugging Face: merged into its weights, a run of its own.

Shapes: C inputs, O outputs of a layer, r rank.
"""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.exportable import Exportable, open_run
from pellucid.interop.huggingface import read_json
from pellucid.interop.mapping import Part, Place, plan
from pellucid.interop.run_weights import Lazy, Weights
from pellucid.interop.safetensors_files import safetensors_entries
from pellucid.interop.settings import Settings
from pellucid.interop.tensors import TensorFiles, shown
from pellucid.interop.turns import transposed
from pellucid.interop.twins import twin_of

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
TENSOR = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
MOST_RANK = 1 << 14
# About the file, about training, and about where adapters were put, which their tensors say.
HARMLESS = frozenset(
    (
        *("auto_mapping", "base_model_name_or_path", "inference_mode", "init_lora_weights", "lora_dropout"),
        *("peft_type", "peft_version", "revision", "task_type", "target_modules", "layers_pattern"),
        *("exclude_modules", "fan_in_fan_out", "layers_to_transform", "qalora_group_size"),
        *("megatron_core", "eva_config", "corda_config", "loftq_config", "lora_ga_config"),
    )
)


@dataclasses.dataclass(frozen=True)
class Adapted:
    """A run with adapters merged: the model that was exported, which may have been rewritten for that."""

    base: Exportable
    family: str
    weights: Weights


@dataclasses.dataclass(frozen=True)
class _Scales:
    """How strongly the change of a module counts, by its rank."""

    alpha: float
    alphas: dict[str, Any]
    stabilised: bool

    def of(self, module: str, rank: int) -> float:
        alpha = next((value for key, value in self.alphas.items() if _matches(key, module)), self.alpha)
        return float(alpha) / (math.sqrt(rank) if self.stabilised else rank)


def is_adapter(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def read_adapters(folder: Path, base: str | Path) -> Adapted:
    """The adapters in a folder, merged into the run whose export they were trained beside.

    Raises:
        InputError: they are damaged, of a kind that is not LoRA alone, or not of that model.
    """
    settings = Settings(read_json(folder / CONFIG), str(folder / CONFIG))
    settings.must_be("peft_type", "LORA")
    settings.must_be("bias", "none")
    scales = _scales(settings)
    settings.refuse_the_rest(HARMLESS)
    run = open_run(base)
    twin = twin_of(run.weights, run.tokenizer)
    files = TensorFiles(safetensors_entries(folder / TENSORS))
    pairs = _pairs(files, folder)
    tensors, left = dict(twin.weights.tensors), set(pairs)
    for name, place in plan(twin.weights.config, twin.layout).items():
        here = {_module(part): part for part in place.parts if _module(part) in pairs}
        if here:
            left -= here.keys()
            changes = {
                module: _change(part, pairs[module], files, scales, folder) for module, part in here.items()
            }
            tensors[name] = _changed(tensors[name], place, changes)
    if left:
        raise InputError(
            f"{folder} has adapters for {shown(min(left))}, which {run.run.name} has no layer for: "
            "give --base the run whose export they were trained beside"
        )
    return Adapted(run, twin.family, Weights(twin.weights.config, tensors))


def _scales(settings: Settings) -> _Scales:
    settings.size("r")
    settings.get("rank_pattern")  # the tensors have the ranks
    alphas = settings.get("alpha_pattern") or {}
    if not isinstance(alphas, dict) or not all(type(value) in (int, float) for value in alphas.values()):
        raise settings.wrong("alpha_pattern", alphas, "names and numbers")
    return _Scales(settings.number("lora_alpha", 8.0), alphas, settings.switch("use_rslora"))


def _matches(key: str, module: str) -> bool:
    """As PEFT reads a pattern, which is the end of a module's name; one with other marks is not known here."""
    if not re.fullmatch(r"[\w.]+", key):
        raise InputError(
            f"the pattern {shown(key)} of an adapter_config.json is not known here: only names are"
        )
    return module == key or module.endswith(f".{key}")


def _pairs(files: TensorFiles, folder: Path) -> dict[str, dict[str, str]]:
    """The names of the two tensors of each module."""
    found = dict[str, dict[str, str]]()
    for name in files.entries:
        match = TENSOR.fullmatch(name)
        if match is None:
            raise InputError(f"{folder / TENSORS} has a tensor {shown(name)}: only those of LoRA are read")
        found.setdefault(match[1], {})[match[2]] = name
        files.dtype(name)
    if not found or any(len(pair) != 2 for pair in found.values()):
        raise InputError(f"{folder / TENSORS} is not whole: the adapter of a layer is two matrices, A and B")
    return found


def _module(part: Part) -> str:
    return (part.name or "").removesuffix(".weight")


def _change(part: Part, pair: dict[str, str], files: TensorFiles, scales: _Scales, folder: Path) -> Tensor:
    """(O, C) float32, its rows as ours are: what an adapter adds to a layer."""
    module = _module(part)
    down, up = (files.entries[pair[which]] for which in "AB")
    outputs, inputs = part.shape[::-1] if part.turn is transposed else part.shape
    rank = down.shape[0] if len(down.shape) == 2 else 0
    if not 1 <= rank <= MOST_RANK or down.shape != (rank, inputs) or up.shape != (outputs, rank):
        raise InputError(
            f"{folder} has adapters of shapes {down.shape} and {up.shape} for {shown(module)}, of {outputs} by "
            f"{inputs}: give --base the run whose export they were trained beside"
        )
    product = scales.of(module, rank) * (files.read(up.name).float() @ files.read(down.name).float())
    return product if part.turn is transposed else part.turn(product)


def _changed(tensor: Lazy, place: Place, changes: dict[str, Tensor]) -> Lazy:
    """One of our tensors, its parts with their changes."""
    sizes = [part.turn.shape(part.shape)[place.along] for part in place.parts]

    def read() -> Tensor:
        whole = tensor.read().float().clone()
        for rows, part in zip(
            whole.view(place.joined).split(sizes, dim=place.along), place.parts, strict=True
        ):
            if _module(part) in changes:
                rows += changes[_module(part)]
        return whole

    return Lazy(tensor.shape, torch.float32, read)
