"""What a training asks of the processes that carry it out, and the answers of one alone.

By itself a process agrees with itself, sums what it has and waits for nobody. For several see distributed.py.

Processes are counted from 0 in code, as torch does ("rank"), and from 1 in messages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor, nn

T = TypeVar("T")


class Ranks:
    """The processes of a training, seen from one of them; this one is alone."""

    rank, world = 0, 1
    local_rank, local_world = 0, 1  # on this machine

    @property
    def is_first(self) -> bool:
        """Whether this process decides, writes and speaks."""
        return self.rank == 0

    # ------------------------------------------------------------------ agreeing

    def check(self, device: str) -> None:
        """Raises: InputError when this process cannot train on `device` beside the others."""

    def sums(self, numbers: Sequence[float]) -> list[float]:
        """Each number summed over all processes, in float64."""
        return [float(number) for number in numbers]

    def add_up(self, tensor: Tensor) -> Tensor:
        """`tensor` summed over all processes; in place."""
        return tensor

    def agree(self, value: Any) -> Any:
        """What the first process gives, which must be JSON; what the others give does not matter."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """What each process gives, which must be JSON, in their order."""
        return [value]

    def share(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """The tensors that the first process gives, on the CPU of each."""
        return dict(tensors or {})

    def in_turn(self) -> contextlib.AbstractContextManager[object]:
        """Within, the first process of each machine comes before the others: what it keeps they find."""
        return contextlib.nullcontext()

    def led(
        self, work: Callable[[Callable[[str], Callable[[], None]]], T], tasks: dict[str, Callable[[], None]]
    ) -> T:
        """The first process does `work`, the others what of `tasks` it asks all to do meanwhile.

        Args:
            work: is given what turns the name of a task into a function that lets all do it; its result is JSON.
        """
        return work(lambda name: tasks[name])

    # ------------------------------------------------------------------ the model

    def wrap(self, model: nn.Module) -> nn.Module:
        """What to call in place of `model` in training, so that its gradients become the mean of all processes'."""
        return model

    def shard(self, model: nn.Module, device: str) -> None:
        """Let each process keep a part of every weight alone; before there is an optimizer."""

    def synced(self, wrapped: nn.Module, last: bool) -> contextlib.AbstractContextManager[object]:
        """The context of one part of a batch: gradients are exchanged with the `last`."""
        return contextlib.nullcontext()

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors put together from their parts, on the first process; the others may get less."""
        return dict(tensors)

    def lockstep(self, model: nn.Module) -> contextlib.AbstractContextManager[bool]:
        """The context in which `model` writes; gives whether this process takes part."""
        return contextlib.nullcontext(True)


ALONE = Ranks()
