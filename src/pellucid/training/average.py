"""An exponential moving average of the weights: steadier than any one step's (Tarvainen & Valpola 2017)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pellucid.training.distributed import is_part, part

PREFIX = "average/"


class AveragedWeights:
    """Follows `model` with `decay` a step, less in the first steps so that the start is soon forgotten.

    With a decay of 0 it holds nothing, and stands for the weights themselves; nor does it hold frozen ones.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p for name, p in model.named_parameters() if decay and p.requires_grad}
        self.averages = {name: weight.detach().clone() for name, weight in self.weights.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After optimizer step number `step`, from 1."""
        if self.averages:
            decay = min(self.decay, step / (step + 9))
            torch._foreach_lerp_(list(self.averages.values()), list(self.weights.values()), 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the model has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, weight in self.weights.items():
            if is_part(weight):  # its numbers have their place in memory, where they are sent from
                before = weight.clone()
                weight.copy_(self.averages[name])
                self.averages[name].copy_(before)
            else:
                weight.data, self.averages[name] = self.averages[name], weight.data

    def state_tensors(self) -> dict[str, Tensor]:
        """For a checkpoint, as "average/parameter"."""
        return {PREFIX + name: average for name, average in self.averages.items()}

    @torch.no_grad()
    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `state_tensors`; other entries are passed over."""
        for name, average in self.averages.items():
            average.copy_(part(tensors[PREFIX + name], average))


def averaged(weights: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's weights with the averages in its `state` in their places."""
    averages = {name.removeprefix(PREFIX): t for name, t in state.items() if name.startswith(PREFIX)}
    return {**weights, **averages}
