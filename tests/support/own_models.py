"""Model classes of a person's own, written to files: the one of the documentation, and some that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "own-model.md"
OTHERS = '''
import dataclasses
import torch
from torch import nn


@dataclasses.dataclass
class Config:
    vocab_size: int = 7
    block_size: int = 3
    width: int = 8


class Tied(nn.Module):
    """Takes a config, ties its head, gives a tuple, and has a buffer."""

    def __init__(self, config):
        super().__init__()
        self.table = nn.Embedding(config.vocab_size, config.width)
        self.places = nn.Embedding(config.block_size, config.width)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def forward(self, ids):
        if self.training:
            self.count += 1
        return self.head(self.table(ids) + self.places.weight[: ids.shape[1]]), None


class Peeking(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, ids):
        return self.table(ids.roll(-1, 1))


class Last(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, ids):
        return self.table(ids[:, -1:])


class Demanding(nn.Module):
    def __init__(self, vocab_size, depth):
        super().__init__()


class Empty(nn.Module):
    def forward(self, ids):
        return torch.zeros(*ids.shape, 5)


class Failing(Peeking):
    def forward(self, ids):
        raise RuntimeError("no such thing")


class Short(Peeking):
    def forward(self, ids):
        return self.table(ids)[:, :4]


class Listed(nn.Module):
    """Its layers are in a list that torch knows nothing of."""

    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, 4)
        self.layers = [nn.Linear(4, 4), nn.Linear(4, vocab_size)]

    def forward(self, ids):
        return self.layers[1](self.layers[0](self.table(ids)))


class Remembering(Peeking):
    """What it says hangs on what it was asked before."""

    calls = 0

    def forward(self, ids):
        self.calls += 1
        return self.table(ids) + self.calls


class Detached(Peeking):
    def forward(self, ids):
        return self.table(ids).detach()


class Changing(Peeking):
    def forward(self, ids):
        ids[ids > 3] = 0
        return self.table(ids)


class Infinite(Peeking):
    def forward(self, ids):
        return self.table(ids) / 0


class Whole(Peeking):
    def forward(self, ids):
        return self.table(ids).long()


class Leaving(Peeking):
    def forward(self, ids):
        raise SystemExit(3)


class Sparse(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size, sparse=True)

    def forward(self, ids):
        return self.table(ids)


class Unsized(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table, self.head = nn.Embedding(vocab_size, 4), nn.LazyLinear(vocab_size)

    def forward(self, ids):
        return self.head(self.table(ids))


class Noisy(nn.Module):
    """Draws at random, from torch, which is allowed."""

    def __init__(self, vocab_size):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, ids):
        return self.table(ids) + torch.randn(*ids.shape, self.table.num_embeddings)


class NamedConfig(nn.Module):
    """No configuration, for all its name."""

    def __init__(self, config):
        super().__init__()
        self.table = nn.Embedding(config.vocab_size, config.vocab_size)

    def forward(self, ids):
        return self.table(ids)


def function(vocab_size):
    return Peeking(vocab_size)
'''


def write_lstm(folder: Path) -> Path:
    """`my_model.py` as docs/how-to/own-model.md shows it."""
    source = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[
        0
    ]
    path = folder / "my_model.py"
    path.write_text(source, encoding="utf-8")
    return path


def write_others(folder: Path) -> Path:
    path = folder / "others.py"
    path.write_text(OTHERS, encoding="utf-8")
    return path
