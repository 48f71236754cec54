"""What one of several processes does in a test; called by forks.py."""

from __future__ import annotations

import json
import sys

import numpy as np
import torch

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.windows import Windows
from pellucid.training.config import TrainConfig
from pellucid.training.distributed import processes
from pellucid.training.gradients import fill_gradients
from pellucid.training.machine import Machine
from pellucid.training.ranks import ALONE

WINDOW, WINDOWS, BATCH = 4, 12, 4


class Recorded(Windows):
    """Remembers the tokens it gave as targets."""

    def __init__(self) -> None:
        super().__init__(np.arange(WINDOW * WINDOWS - 1), WINDOW, seed=3)
        self.given: list[int] = []

    def batch(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = super().batch(first, count)
        self.given.extend(targets[targets >= 0].tolist())
        return inputs, targets


def ids(epochs: str, accumulate: str) -> None:
    """Prints, for each epoch, the tokens that each process learned; every token of the stream is another one."""
    windows, learned = Recorded(), []
    model = build_model(
        ModelConfig(vocab_size=WINDOW * WINDOWS, n_layers=1, n_heads=1, d_model=4, context_length=WINDOW)
    )
    config = TrainConfig(steps=1, batch_size=BATCH, accumulate=int(accumulate))
    machine = Machine("cpu", "float32", 1e9, 1e9, 1, 1 << 40)
    with processes() as ranks:
        for epoch in range(int(epochs)):
            windows.given = []
            for first in range(epoch * WINDOWS, (epoch + 1) * WINDOWS, BATCH):
                fill_gradients(model, windows, first, config, machine, ranks)
            learned.append(ranks.gather(windows.given))
        if ranks.is_first:
            print(json.dumps(learned))


def talk() -> None:
    """Every way in which processes speak to one another, with what must come of it."""
    with processes() as ranks:
        r, n = ranks.rank, ranks.world
        assert n > 1
        assert ranks.sums([1, r]) == [n, n * (n - 1) / 2]
        assert ranks.agree({"a": [r, None, "ü" * 1000]}) == {"a": [0, None, "ü" * 1000]}
        assert ranks.gather(["x"] * r) == [["x"] * k for k in range(n)]
        mine = {
            "half": torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16),
            "none": torch.empty(0, 3),
            "scalar": torch.tensor(7.25),
            "yes": torch.tensor([True, False]),
            "whole": torch.arange(5),
        }
        shared = ranks.share(mine if ranks.is_first else None)
        for name, tensor in mine.items():
            assert shared[name].dtype == tensor.dtype
            assert torch.equal(shared[name], tensor), name
        done: list[str] = []
        tasks = {name: (lambda name=name: done.append(name)) for name in ("save", "copy")}

        def work(together):
            for name in ("copy", "save", "copy"):
                together(name)()
            return [3, True]

        assert list(ranks.led(work, tasks)) == [3, True]
        assert done == ["copy", "save", "copy"]
    assert ALONE.gather(1) == [1]


def fails(which: str, message: str) -> None:
    """Process `which` fails while the others wait for it; they must end, too."""
    from pellucid.training.distributed import PeerLost

    try:
        with processes() as ranks:
            if ranks.rank == int(which):
                raise RuntimeError(message)
            ranks.sums([1])
    except PeerLost as error:
        print(f"lost: {error}")
        sys.exit(1)
