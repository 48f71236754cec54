"""Conversations become batches of rows, several conversations a row, none of which sees another.

A conversation is never cut in two: rows are filled by best fit (Johnson 1974; for training, Ding et al. 2024, "Fewer
Truncations Improve Language Modeling"). As with `Windows`, which row comes when is a pure function of (seed, number),
so a resumed run needs no iterator state.

Shapes: B rows, T tokens of the longest row in a batch, N tokens of a conversation.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pellucid.errors import InputError
from pellucid.model.config import IGNORE
from pellucid.text.template import Template, Turn

NO_DOCUMENT = -1  # of padding: no token of a conversation has it
PIECES = 8  # tokens by whose multiples rows are cut: sizes of products that come again are faster


@dataclasses.dataclass(frozen=True)
class Example:
    """A conversation in tokens: `ids` (N,) integers, and which of them are `learned` (N,) bool."""

    ids: np.ndarray
    learned: np.ndarray

    @property
    def n_learned(self) -> int:
        """Targets that count; the first token is never one."""
        return int(self.learned[1:].sum())

    def __len__(self) -> int:
        """Tokens that are read: the last one is only a target."""
        return len(self.ids) - 1


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Conversations as examples; how many had to be cut in pieces, and how many turns had to be cropped for it."""

    examples: list[Example]
    n_cut: int = 0
    n_cropped: int = 0


def fit(template: Template, conversations: Iterable[Sequence[Turn]], length: int) -> Fitted:
    """Conversations as examples of at most `length` tokens read.

    Of one that is too long the oldest turns go, never the last reply; those that went make further examples by the
    same rule, so that every reply is learned once. A system turn at the beginning stays with each of them. Where a
    reply does not fit with what it answers, the beginning of the latter goes, and a system turn that would take more
    than half of what the reply leaves; a reply that alone is longer than a row loses its end: what has to be learned
    is how a reply begins.
    """
    examples, n_cut, n_cropped = [], 0, 0
    for turns in conversations:
        pieces = 0
        system = list(turns[:1]) if turns and turns[0].role == "system" else []
        rest = list(turns[len(system) :])
        while any(turn.role == "assistant" for turn in rest):
            piece, rest, cropped = _last_piece(template, system, rest, length)
            ids, learned = template.encode(piece)
            examples.append(Example(ids[: length + 1], learned[: length + 1]))
            pieces += 1
            n_cropped += cropped
        n_cut += pieces > 1
    return Fitted([one for one in examples if one.n_learned], n_cut, n_cropped)


def _last_piece(
    template: Template, system: list[Turn], turns: list[Turn], length: int
) -> tuple[list[Turn], list[Turn], bool]:
    """The latest turns that fit, up to the last reply; those before them; and whether one had to be cropped."""
    end = next(n for n in range(len(turns), 0, -1) if turns[n - 1].role == "assistant")
    room = length + 1 - len(template.tokenizer.beginning)
    left = room - template.n_tokens(system)
    start = end
    while start and template.n_tokens(turns[start - 1 : start]) <= left:
        start -= 1
        left -= template.n_tokens(turns[start : start + 1])
    begin = next((place for place in range(start, end) if turns[place].role != "assistant"), None)
    # it begins with what a person says, or nobody spoke before
    if begin is not None or (start == 0 and start < end):
        start = start if begin is None else begin
        return [*system, *turns[start:end]], turns[:start], False
    start = end - 1
    reply = turns[start:end]
    left = room - template.n_tokens(reply)
    if start and left > 0:
        kept = system if 2 * template.n_tokens(system) <= left else []
        asked = _ending(template, turns[start - 1], left - template.n_tokens(kept))
        before = start - (turns[start - 1].role != "assistant")
        return [*kept, *asked, *reply], turns[:before], True
    return reply, turns[:start], True


def _ending(template: Template, turn: Turn, room: int) -> list[Turn]:
    """The end of a turn, with at most `room` tokens; nothing of a reply, or where there is no room for any."""
    text = turn.text if turn.role != "assistant" else ""
    while text:
        text = text[1 + len(text) // 16 :]
        if template.n_tokens([Turn(turn.role, text)]) <= room:
            return [Turn(turn.role, text)]
    return []


class Rows:
    """An endless shuffled sequence of rows of conversations, with the interface of `Windows`.

    Every epoch holds each conversation once. Which of equally long ones share a row is drawn anew each epoch; the
    number of rows hangs on the lengths alone.

    Args:
        examples: none longer than `context_length`.
        context_length: tokens a row has at most.
        seed: of the orders.
        pad: the token that fills a row up.

    Raises:
        InputError: there is no example.
    """

    def __init__(self, examples: Sequence[Example], context_length: int, seed: int, pad: int) -> None:
        if not examples:
            raise InputError(
                "there is no reply to learn from: give conversations in which the assistant speaks"
            )
        self.examples = list(examples)
        self.context_length = context_length
        self.seed, self.pad = seed, pad
        self.lengths = np.array([len(example) for example in self.examples])
        assert self.lengths.max() <= context_length, "an example is longer than a row"
        self._epoch = -1
        self._rows: list[list[int]] = []
        self._start_epoch(0)
        self.per_epoch = len(self._rows)

    @property
    def n_tokens(self) -> int:
        """Tokens that are read in an epoch."""
        return int(self.lengths.sum())

    @property
    def n_learned(self) -> int:
        """Targets that count in an epoch."""
        return sum(example.n_learned for example in self.examples)

    def tokens_of(self, count: int) -> int:
        """Tokens that `count` rows have, on average."""
        return round(count * self.n_tokens / self.per_epoch)

    def batch(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows `first` to `first + count` of the endless sequence.

        Returns:
            inputs, targets, documents and positions, (B, T) int64 each. Targets that are not learned are IGNORE;
            documents count the conversations of a row, and padding, NO_DOCUMENT, sees only padding; positions begin at
            0 in each conversation.
        """
        return self.join([self.row(number) for number in range(first, first + count)])

    def whole(self, rows_at_once: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Every conversation once, in batches like those of `batch`, for evaluation."""
        rows = _best_fit(self.lengths, np.arange(len(self.lengths)), self.context_length)
        for start in range(0, len(rows), rows_at_once):
            yield self.join(rows[start : start + rows_at_once])

    def join(self, rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A batch of these rows, each a list of examples."""
        used = max(int(self.lengths[list(row)].sum()) for row in rows)
        width = min(self.context_length, -(-used // PIECES) * PIECES)
        inputs = np.full((len(rows), width), self.pad, dtype=np.int64)
        targets = np.full_like(inputs, IGNORE)
        documents = np.full_like(inputs, NO_DOCUMENT)
        positions = np.zeros_like(inputs)
        for number, row in enumerate(rows):
            start = 0
            for document, index in enumerate(row):
                example = self.examples[index]
                place = slice(start, start + len(example))
                inputs[number, place] = example.ids[:-1]
                targets[number, place] = np.where(example.learned[1:], example.ids[1:], IGNORE)
                documents[number, place] = document
                positions[number, place] = np.arange(len(example))
                start = place.stop
        return inputs, targets, documents, positions

    def blank(self) -> tuple[int, int, int, int]:
        """What fills inputs, targets, documents and positions up."""
        return self.pad, IGNORE, NO_DOCUMENT, 0

    def row(self, number: int) -> list[int]:
        """The places in `examples` of what row `number` of the endless sequence holds."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._start_epoch(epoch)
        return self._rows[place]

    def _start_epoch(self, epoch: int) -> None:
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        shuffled = generator.permutation(len(self.examples))
        rows = _best_fit(self.lengths, shuffled, self.context_length)
        self._epoch = epoch
        self._rows = [rows[place] for place in generator.permutation(len(rows))]


def _best_fit(lengths: np.ndarray, order: np.ndarray, room: int) -> list[list[int]]:
    """Best fit decreasing: the longest first, each into the fullest row that has room; equal ones in `order`."""
    decreasing = order[np.argsort(-lengths[order], kind="stable")]
    rows: list[list[int]] = []
    spaces: list[tuple[int, int]] = []  # (room left, row), sorted
    for index in decreasing.tolist():
        length = int(lengths[index])
        place = bisect_left(spaces, (length, -1))
        if place == len(spaces):
            rows.append([index])
            left, row = room - length, len(rows) - 1
        else:
            left, row = spaces.pop(place)
            left -= length
            rows[row].append(index)
        if left:
            insort(spaces, (left, row))
    return rows
