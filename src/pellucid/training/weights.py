"""Weights to and from safetensors files: what is tied is stored once, a tied head under the embedding's name."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model.lora import adapted_layers, adapter_names
from pellucid.model.own import OwnModel
from pellucid.model.transformer import LanguageModel
from pellucid.training.checkpoints import load_tensors_and_metadata, save_tensors
from pellucid.training.distributed import is_part, part
from pellucid.training.files import write_atomically
from pellucid.training.ranks import ALONE, Ranks


def stored_weights(model: LanguageModel) -> dict[str, Tensor]:
    """What a file keeps of `model`, by name; adapters are merged into the layers beside which they stand."""
    weights = model.state_dict()
    if model.config.tie_embeddings:
        weights.pop("head.weight", None)
    for name in _second_names(model):
        del weights[name]
    for name in adapter_names(list(weights)):
        del weights[name]
    return weights | {f"{name}.weight": layer.merged() for name, layer in adapted_layers(model)}


def _second_names(model: LanguageModel) -> dict[str, str]:
    """The other names of tensors that a model of one's own has in several places, and the first name of each."""
    if not isinstance(model, OwnModel):
        return {}
    names: dict[Tensor, str] = {}
    named = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    return {name: names[tensor] for name, tensor in named if names.setdefault(tensor, name) != name}


def checkpoint_weights(model: LanguageModel) -> dict[str, Tensor]:
    """What a checkpoint keeps: the adapters alone of a model that has any, for the rest of it does not change."""
    if not adapted_layers(model):
        return stored_weights(model)
    weights = model.state_dict()
    return {name: weights[name] for name in adapter_names(list(weights))}


def load_checkpoint_weights(model: LanguageModel, weights: dict[str, Tensor], where: str) -> None:
    """The reverse of `checkpoint_weights`. Raises: InputError when names or shapes do not fit the model."""
    if adapted_layers(model):
        own = model.state_dict()
        weights = {name: own[name] for name in own if name not in adapter_names(list(own))} | weights
    load_stored_weights(model, weights, where)


def load_stored_weights(model: LanguageModel, weights: dict[str, Tensor], where: str) -> None:
    """Raises: InputError when names or shapes do not fit the model."""
    if model.config.tie_embeddings and "embedding.weight" in weights:
        weights = {**weights, "head.weight": weights["embedding.weight"]}
    second = {name: weights[first] for name, first in _second_names(model).items() if first in weights}
    weights = {**weights, **second}
    own = model.state_dict()
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
    there = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(wanted.keys() | there.keys()):
        if wanted.get(name) != there.get(name):
            raise InputError(
                f"{where} does not fit its config.json: {name} has shape {there.get(name, 'none')} there and "
                f"{wanted.get(name, 'none')} in the model; restore the run from a copy"
            )
    model.load_state_dict({n: part(weights[n], own[n]) if is_part(own[n]) else weights[n] for n in weights})


def publish_weights(path: Path, weights: dict[str, Tensor], step: int, durable: bool = True) -> None:
    """Write `weights`, as `stored_weights` gives them, and the step they are of: the whole file, or nothing.

    Args:
        durable: whether the file must outlive a loss of power; waiting for the disk takes time.
    """
    # one entry: safetensors writes several in no fixed order, and runs repeat bitwise
    metadata = {"step": str(step)}
    write_atomically(path, lambda path: save_tensors(weights, path, metadata, durable), durable)


def published_step(path: Path) -> int | None:
    """The step that a file's weights are of; None where it does not say."""
    with safe_open(path, "pt") as file:
        return _step(file.metadata() or {})


def load_weights(model: LanguageModel, path: Path, ranks: Ranks = ALONE) -> int | None:
    """Fill `model`; returns the step that these weights are of, None where the file does not say.

    Of several processes the first one reads the file, and the others hear from it.

    Raises:
        InputError: the file is missing, damaged, not finite, or does not fit the model.
    """
    weights, metadata = {}, {}
    if ranks.is_first:  # at once: a training may put newer ones in their place
        weights, metadata = load_tensors_and_metadata(path)
    weights, metadata = ranks.share(weights), ranks.agree(metadata)
    if not all(torch.isfinite(tensor).all() for tensor in weights.values() if tensor.is_floating_point()):
        raise InputError(f"{path} holds numbers that are not finite: restore it from a copy, or train again")
    load_stored_weights(model, weights, str(path))
    return _step(metadata)


def _step(metadata: dict[str, str]) -> int | None:
    step = metadata.get("step", "")
    return int(step) if step.isdecimal() else None
