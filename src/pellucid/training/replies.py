"""The conversations of a run: replies to learn, held-out ones to score, and some of what the model read before."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.text.packing import Example, Fitted, Rows, fit
from pellucid.text.template import Template, Turn, last_turns
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.text.windows import Windows
from pellucid.training.config import TrainConfig
from pellucid.training.evaluation import ReplyEvaluator
from pellucid.training.gradients import Batches

WHOLE = 0  # the document of a window of plain text


@dataclasses.dataclass(frozen=True)
class ReplyData:
    """Conversations as examples, in three parts, with what `TrainingData` has of a text.

    Attributes:
        record: what config.json keeps of them, enough to know them again.
        train, dev, validation: examples of at most `length` tokens.
        length: tokens of a row.
        opening: turns of a held-out conversation up to a first reply, which samples answer.
        text: (N,) tokens of what the model was trained on before, and their `share` of what is learned; none at 0.
    """

    record: dict[str, Any]
    template: Template
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    validation: tuple[Example, ...]
    length: int
    opening: tuple[Turn, ...] = ()
    text: np.ndarray | None = None
    share: float = 0.0

    @property
    def tokenizer(self) -> Tokenizer:
        return self.template.tokenizer

    @property
    def n_dev(self) -> int:
        """Tokens of the dev part."""
        return sum(map(len, self.dev))

    def batches(self, length: int, seed: int) -> Batches:
        """Rows of conversations, and windows of text among them where there is one."""
        assert length == self.length
        rows = Rows(self.train, length, seed, self.tokenizer.pad)
        if self.text is None or not self.share:
            return rows
        return Mixed(rows, Windows(self.text, length, seed), self.share)

    def evaluator(self, length: int) -> ReplyEvaluator:
        return ReplyEvaluator(self.tokenizer, length)

    def dev_part(self, limit: int) -> Sequence[Example]:
        return first_examples(self.dev, limit or self.n_dev)

    def train_part(self, limit: int) -> Sequence[Example]:
        return first_examples(self.train, limit)

    def sample(self, engine: Engine, config: TrainConfig, options: SamplingOptions) -> str:
        """What the model answers to a held-out conversation, with what it answers."""
        turns = last_turns(self.template, self.opening, engine.model.config.context_length // 2)
        prompt = self.template.prompt(turns).tolist()
        reply = engine.generate([prompt], options, ends=self.template.ends)[0].text
        return "\n".join([*(f"{turn.role}: {turn.text}" for turn in turns), f"assistant: {reply}"])


class Mixed:
    """Rows of conversations with windows of text evenly among them; which is which hangs on the number.

    Args:
        share: of the learned tokens that are text, from 0 to below 1. It is no share of rows: every token of a window
            is learned, but of a conversation only the replies.
    """

    def __init__(self, rows: Rows, windows: Windows, share: float) -> None:
        assert rows.context_length == windows.context_length
        self.rows, self.windows = rows, windows
        self.context_length = rows.context_length
        of_text, of_replies = share * rows.n_learned / rows.per_epoch, (1 - share) * windows.context_length
        self.share_of_rows = of_text / (of_text + of_replies)
        self.per_epoch = round(rows.per_epoch / (1 - self.share_of_rows))

    @property
    def n_tokens(self) -> int:
        """Tokens that are read while every conversation is read once."""
        n_windows = self.per_epoch - self.rows.per_epoch
        return self.rows.n_tokens + n_windows * self.context_length

    def tokens_of(self, count: int) -> int:
        return round(count * self.n_tokens / self.per_epoch)

    def batch(self, first: int, count: int) -> tuple[np.ndarray, ...]:
        """As `Rows.batch`; every token of a window is learned."""
        numbers = range(first, first + count)
        n_before = {number: int(number * self.share_of_rows) for number in (*numbers, first + count)}
        texts = [n_before[n] for n in numbers if n_before[n + 1] > n_before[n]]
        rows = [n - n_before[n] for n in numbers if n_before[n + 1] == n_before[n]]
        parts = [self.rows.batch(number, 1) for number in rows]
        for number in texts:
            inputs, targets = self.windows.batch(number, 1)
            positions = np.arange(self.context_length)[None]
            parts.append((inputs, targets, np.full_like(inputs, WHOLE), positions))
        width = max(part[0].shape[1] for part in parts)
        blank = self.rows.blank()
        return tuple(
            np.concatenate([_widened(part[place], blank[place], width) for part in parts])
            for place in range(4)
        )


def _widened(array: np.ndarray, blank: int, width: int) -> np.ndarray:
    return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=blank)


def first_examples(examples: Sequence[Example], limit: int) -> Sequence[Example]:
    """The first examples, up to the one that makes them `limit` tokens."""
    n_tokens = 0
    for place, example in enumerate(examples):
        n_tokens += len(example)
        if n_tokens >= limit:
            return examples[: place + 1]
    return examples


def make_examples(
    template: Template, parts: Sequence[Sequence[Sequence[Turn]]], length: int
) -> tuple[list[Fitted], list[str]]:
    """Each part's conversations as examples, and what a person should know of how they became so."""
    fitted = [fit(template, part, length) for part in parts]
    notes: list[str] = []
    if cut := sum(part.n_cut for part in fitted):
        notes.append(
            f"{cut:,} conversations are longer than {length:,} tokens and are learned in several pieces."
        )
    if cropped := sum(part.n_cropped for part in fitted):
        notes.append(f"{cropped:,} turns did not fit into {length:,} tokens and are cropped.")
    unknown = template.tokenizer.unknown
    examples = [one for part in fitted for one in part.examples]
    n_unknown = sum(int((one.ids == unknown).sum()) for one in examples) if unknown is not None else 0
    if n_unknown:
        notes.append(
            f"{n_unknown:,} characters are unknown to the model; it reads them as such and learns none."
        )
    return fitted, notes
