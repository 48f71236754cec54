"""Tensors that a format asks for and a model does not have, and that change nothing of what it computes.

A bias of zeros, a norm's scale of ones, and a table of positions: that of the waves, or one of zeros.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.interop.mapping import Place, Plan
from pellucid.interop.turns import Shape
from pellucid.model.config import ModelConfig
from pellucid.model.positions import SinusoidalPositions


class Weights(Protocol):
    """The tensors of a model, by our names."""

    def __contains__(self, name: str) -> bool: ...
    def read(self, name: str) -> Tensor: ...


class Written:
    """The tensors of a model as those of another configuration that computes the same, in float32.

    Args:
        weights: of the model.
        config: the model's.
    """

    def __init__(self, weights: Weights, config: ModelConfig) -> None:
        self.weights, self.config = weights, config
        self._waves = SinusoidalPositions(config) if config.positions == "sinusoidal" else None

    def read(self, name: str, shape: Shape) -> Tensor:
        """One tensor of that configuration, of a shape.

        Raises:
            InputError: the model has another one of that name, or none, and nothing stands for it.
        """
        if name in self.weights:
            tensor = self.weights.read(name).float()
            scaled = self._waves is not None and name == "embedding.weight"
            tensor = self._waves.scale * tensor if scaled and self._waves else tensor
        elif name == "head.weight":  # tied; not scaled where the embedding is
            tensor = self.weights.read("embedding.weight").float()
        elif name == "positions.table.weight" and self._waves is not None:
            tensor = self._waves.table
        elif name == "positions.table.weight" or name.endswith(".bias"):
            tensor = torch.zeros(shape)
        elif name.endswith("norm.weight"):
            tensor = torch.ones(shape)
        else:
            raise InputError(f"the weights of this run lack {name}: restore the run from a copy")
        if tensor.shape != shape:
            raise InputError(
                f"{name} has shape {tuple(tensor.shape)}, and the run's config.json asks for {shape}: "
                "restore the run from a copy"
            )
        return tensor


def check_left_out(name: str, place: Place, tensor: Tensor, where: str) -> None:
    """Raises: InputError where rows that the file has no tensor for are not zero."""
    along = place.along
    sizes = [part.turn.shape(part.shape)[along] for part in place.parts]
    for part, rows in zip(place.parts, tensor.reshape(place.joined).split(sizes, dim=along), strict=True):
        if part.name is None and rows.any():
            raise InputError(
                f"{where} has no place for all of {name}, which is not zero: train a model with --no-bias to export it"
            )


def check_unplaced(weights: Weights, names: list[str], plan: Plan, where: str) -> None:
    """Raises: InputError where a tensor of the model has no place, and matters."""
    for name in names:
        if name in plan or (name == "head.weight" and "head.weight" not in plan):
            continue
        tensor = weights.read(name)
        if name.endswith("choice_bias") and (tensor == tensor.flatten()[0]).all():
            continue  # what is added to every expert's score alike changes no choice
        part = "a bias on the choice of experts (balance bias)" if name.endswith("choice_bias") else name
        raise InputError(f"{where} has no place for {part}: this model has no exact twin there")
