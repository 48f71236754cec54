"""The random states of all processes of a training: drawn from a seed, kept in checkpoints, and taken up again."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.training.checkpoints import random_states, restore_random_states
from pellucid.training.ranks import Ranks

PREFIX = "random/"


def seed_all(ranks: Ranks, seed: int, step: int = 0) -> None:
    """Seed each process: the first as one process alone, the others so that none drops what another does."""
    if not ranks.is_first:
        draw = np.random.SeedSequence([seed, ranks.rank, step])
        seed = int(draw.generate_state(1, np.uint64)[0] >> 1)
    torch.manual_seed(seed)


def gathered_states(ranks: Ranks) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """As `random_states`, with those of the other processes: tensors "random/1/cpu", and numbers in a list "others"."""
    tensors, numbers = random_states()
    if ranks.world == 1:
        return tensors, numbers
    own = {name: tensor.tolist() for name, tensor in tensors.items()}
    for rank, (states, others) in enumerate(ranks.gather([own, numbers])):
        if rank:
            numbers.setdefault("others", []).append(others)
            for name, state in states.items():
                tensors[_name(name, rank)] = torch.tensor(state, dtype=torch.uint8)
    return tensors, numbers


def take_up_states(
    ranks: Ranks, tensors: dict[str, Tensor], numbers: dict[str, Any], seed: int, step: int
) -> None:
    """The reverse of `gathered_states`; where there were fewer processes or more, only the first has a state to go on
    from, and the others are seeded anew."""
    others = numbers.get("others", [])
    if ranks.is_first:
        restore_random_states(tensors, numbers)
    elif len(others) == ranks.world - 1:
        own = {name: tensors.get(_name(name, ranks.rank)) for name in tensors}
        found = {name: tensor for name, tensor in own.items() if tensor is not None}
        restore_random_states(found, others[ranks.rank - 1])
    else:
        seed_all(ranks, seed, step)


def _name(name: str, rank: int) -> str:
    return name.replace(PREFIX, f"{PREFIX}{rank}/")
