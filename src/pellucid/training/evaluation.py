"""How well a model predicts a text, and how well counting alone would.

Shapes: W windows, T context length, V vocabulary.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from pellucid.model.config import IGNORE
from pellucid.model.transformer import LanguageModel, next_token_loss
from pellucid.text.bigrams import PairCounts
from pellucid.text.packing import Example, Rows
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.text.windows import consecutive_windows
from pellucid.training.compiling import uncompiled
from pellucid.training.distributed import is_sharded
from pellucid.training.gradients import summed_loss, to_batch
from pellucid.training.machine import autocast
from pellucid.training.ranks import ALONE, Ranks

TOKENS_AT_ONCE = 8192  # bounds the memory of the logits
TOKENS_AT_ONCE_ON_CPU = 2048  # nearer to its caches: a fifth faster
WINDOWED_AT_ONCE = 1 << 20  # tokens made into windows at a time
Batch = TypeVar("Batch")


@dataclasses.dataclass(frozen=True)
class Score:
    """Loss in nats a token, over `n_tokens` tokens that spell `n_bytes` UTF-8 bytes; reserved tokens not counted."""

    loss: float
    n_tokens: int
    n_bytes: int
    n_unknown: int = 0

    @property
    def perplexity(self) -> float:
        return math.exp(min(self.loss, 700))

    @property
    def bits_per_byte(self) -> float:
        """Comparable between tokenizers, unless unknown tokens were scored."""
        return self.loss * self.n_tokens / (math.log(2) * self.n_bytes) if self.n_bytes else math.nan


class Evaluator:
    """Scores fixed token streams with one model after another.

    Args:
        tokenizer: knows how many bytes each token spells and which are reserved.
        context_length: windows of this length that do not overlap.
    """

    def __init__(self, tokenizer: Tokenizer, context_length: int) -> None:
        self.context_length = context_length
        self.unknown = tokenizer.unknown
        self.bytes_of = np.array([len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size)])
        # not the unknown token: a character it stands for was there all the same
        self.reserved = self.bytes_of == 0

    def windows(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets (W, T) of a stream; reserved tokens are read but not scored."""
        inputs, targets = consecutive_windows(tokens, self.context_length)
        scored = targets != IGNORE
        targets[scored & self.reserved[np.where(scored, targets, 0)]] = IGNORE
        return inputs, targets

    def score(
        self,
        model: LanguageModel,
        tokens: np.ndarray,
        device: str,
        precision: str = "float32",
        ranks: Ranks = ALONE,
    ) -> Score:
        """The model's loss on a whole stream, dropout off; the model's mode is left as it was.

        Of several processes each scores its share, and all get the same score.
        """
        tallies, shares = [], _Shares(ranks)
        was_training = model.training
        model.eval()
        at_once = _windows_at_once(device, self.context_length)

        def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for inputs, targets in self._blocks(tokens, at_once):
                tallies.append(self._tally(targets))
                for start in range(0, len(inputs), at_once):
                    yield inputs[start : start + at_once], targets[start : start + at_once]

        with uncompiled(), _without_gradients(model), autocast(device, precision):
            for inputs, targets in shares.own(batches()):
                x, y = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
                shares.sums.append(next_token_loss(model(x), y, reduction="sum").item())
        model.train(was_training)
        return _score(shares.total(), tallies)

    def _blocks(self, tokens: np.ndarray, at_once: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`windows`, so many at a time (a multiple of `at_once`) that the memory of a long stream is bounded."""
        length = self.context_length * at_once * max(1, WINDOWED_AT_ONCE // (self.context_length * at_once))
        for start in range(0, max(1, len(tokens) - 1), length):
            yield self.windows(tokens[start : start + length + 1])

    def _tally(self, targets: np.ndarray) -> tuple[int, int, int]:
        """How many tokens are scored, the bytes they spell, and how many are unknown."""
        scored = targets[targets != IGNORE]
        n_unknown = int((scored == self.unknown).sum()) if self.unknown is not None else 0
        return len(scored), int(self.bytes_of[scored].sum()), n_unknown

    def bigram_score(self, counts: PairCounts, tokens: np.ndarray) -> Score:
        """What the pairs counted in a training text give: the least a model has to beat."""
        total, tallies = 0.0, []
        for inputs, targets in self._blocks(tokens):
            scored = targets != IGNORE
            probability = counts.probabilities(inputs[scored], targets[scored])
            total -= float(np.log(probability).sum())
            tallies.append(self._tally(targets))
        return _score(total, tallies)


class ReplyEvaluator(Evaluator):
    """Scores the replies of conversations: what is learned of them, but for the reserved tokens that end them."""

    def score(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        model: LanguageModel,
        tokens: Sequence[Example],
        device: str,
        precision: str = "float32",
        ranks: Ranks = ALONE,
    ) -> Score:
        """The model's loss on all replies of some conversations, none longer than the context; dropout is off."""
        tallies, shares = [], _Shares(ranks)
        was_training = model.training
        model.eval()
        # the targets are fewer than the tokens, and logits are computed of them alone
        at_once = _windows_at_once(device, self.context_length)

        def batches() -> Iterator[tuple[np.ndarray, ...]]:
            for arrays in Rows(tokens, self.context_length, 0, 0).whole(at_once) if tokens else ():
                targets = arrays[1]
                scored = targets != IGNORE
                targets[scored & (self.bytes_of[np.where(scored, targets, 0)] == 0)] = IGNORE
                tallies.append(self._tally(targets))
                yield arrays

        with uncompiled(), _without_gradients(model), autocast(device, precision):
            for arrays in shares.own(batches()):
                shares.sums.append(summed_loss(model, to_batch(arrays, device)).item())
        model.train(was_training)
        return _score(shares.total(), tallies)


class _Shares:
    """Batches shared out among processes, and the sum of what they score."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.n_batches = ranks, 0
        self.sums: list[float] = []  # of this process's batches

    def own(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """This process's batches of all, as many as every other's: a sharded model needs all to compute anything.

        Where none is left for a process it has another's again, which does not count.
        """
        group: list[Batch] = []
        for batch in batches:
            group.append(batch)
            self.n_batches += 1
            if len(group) == self.ranks.world:
                yield group[self.ranks.rank]
                group = []
        if group:
            yield group[min(self.ranks.rank, len(group) - 1)]

    def total(self) -> float:
        """The sums of all processes, added in the order in which one process adds them."""
        every, total = self.ranks.gather(self.sums), 0.0
        for number in range(self.n_batches):
            total += every[number % self.ranks.world][number // self.ranks.world]
        return total


def _windows_at_once(device: str, context_length: int) -> int:
    tokens = TOKENS_AT_ONCE_ON_CPU if device == "cpu" else TOKENS_AT_ONCE
    return max(1, tokens // context_length)


def _without_gradients(model: nn.Module) -> contextlib.AbstractContextManager[object]:
    """What a sharded model first puts together it keeps for training, where inference mode's tensors cannot be used."""
    return torch.no_grad() if is_sharded(model) else torch.inference_mode()


def _score(total: float, tallies: Sequence[tuple[int, int, int]]) -> Score:
    n_tokens, n_bytes, n_unknown = (
        (sum(each) for each in zip(*tallies, strict=True)) if tallies else (0, 0, 0)
    )
    return Score(total / n_tokens, n_tokens, n_bytes, n_unknown) if n_tokens else Score(math.nan, 0, 0)
