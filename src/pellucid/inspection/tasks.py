"""A model's answers to a task: which of several choices it finds likeliest, and how likely it finds whole texts.

Computed as the Language Model Evaluation Harness does it (Gao et al. 2021, its `multiple_choice` and
`loglikelihood_rolling`), so that the numbers can be held against those of other models.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.scoring import score

MOST_BYTES = 256 << 20  # of a task's file
MOST_CHOICES = 100
AT_ONCE = 32  # texts that are read between two words on how far it is


@dataclasses.dataclass(frozen=True)
class Question:
    """A prompt, what may follow it, and which of these does; a blank between them is in one of them."""

    prompt: str
    choices: tuple[str, ...]
    answer: int


@dataclasses.dataclass(frozen=True)
class Answered:
    """What a model made of a question.

    Args:
        logprobs: the natural log-probability of each choice after the prompt.
        n_unknown: unknown tokens in its prompt and choices.
        is_cut: whether only the end of its prompt was read, as not all of it fits.
    """

    question: Question
    logprobs: tuple[float, ...]
    n_unknown: int = 0
    is_cut: bool = False

    def is_right(self, lengths: Callable[[str], int] = lambda choice: 1) -> bool:
        """Whether the likeliest choice, per unit of its length, is the answer; of equals the first counts."""
        per_unit = [
            each / lengths(choice) for each, choice in zip(self.logprobs, self.question.choices, strict=True)
        ]
        return per_unit.index(max(per_unit)) == self.question.answer


@dataclasses.dataclass(frozen=True)
class Read:
    """How likely a whole text is: the sum over all its tokens, the first after the beginning of a text."""

    text: str
    logprob: float
    n_unknown: int


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """A model's answers to all lines of a task."""

    answered: list[Answered]
    read: list[Read]

    @property
    def accuracy(self) -> float:
        """The share of questions whose answer is the likeliest choice."""
        return _mean([each.is_right() for each in self.answered])

    @property
    def accuracy_by_characters(self) -> float:
        """The same by log-probability a character: long choices are not worse for being long."""
        return _mean([each.is_right(len) for each in self.answered])

    @property
    def accuracy_by_bytes(self) -> float:
        """The same a byte of UTF-8."""
        return _mean([each.is_right(lambda choice: len(choice.encode())) for each in self.answered])

    @property
    def error(self) -> float:
        """The standard error of an accuracy: that of the mean of as many independent questions."""
        n, p = len(self.answered), self.accuracy
        return math.sqrt(p * (1 - p) / (n - 1)) if n > 1 else math.nan

    @property
    def chance(self) -> float:
        """The accuracy that guessing has on average."""
        return _mean([1 / len(each.question.choices) for each in self.answered])

    @property
    def bits_per_byte(self) -> float:
        """Of all texts together."""
        n_bytes = sum(len(each.text.encode()) for each in self.read)
        return -sum(each.logprob for each in self.read) / (math.log(2) * n_bytes) if n_bytes else math.nan

    @property
    def n_unknown(self) -> int:
        """Unknown tokens in the texts: with any, bits per byte are not comparable."""
        return sum(each.n_unknown for each in self.read)

    @property
    def n_unknown_asked(self) -> int:
        """Unknown tokens in the questions: choices that differ in these alone look the same."""
        return sum(each.n_unknown for each in self.answered)

    @property
    def n_cut(self) -> int:
        """Questions of which only the end was read."""
        return sum(each.is_cut for each in self.answered)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with the log-probabilities of every line, in the order of the file."""
        told: dict[str, Any] = {}
        if self.answered:
            told["questions"] = {
                "n": len(self.answered),
                "accuracy": self.accuracy,
                "accuracy_by_characters": self.accuracy_by_characters,
                "accuracy_by_bytes": self.accuracy_by_bytes,
                "error": self.error if len(self.answered) > 1 else None,
                "chance": self.chance,
                "unknown": self.n_unknown_asked,
                "cut": self.n_cut,
                "logprobs": [list(each.logprobs) for each in self.answered],
            }
        if self.read:
            told["texts"] = {
                "n": len(self.read),
                "bits_per_byte": self.bits_per_byte,
                "unknown": self.n_unknown,
                "logprobs": [each.logprob for each in self.read],
            }
        return told


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


# ---------------------------------------------------------------------- the file


def read_task(path: Path) -> list[Question | str]:
    """The lines of a JSON Lines file: questions `{"prompt", "choices", "answer"}` and texts `{"text"}`.

    `answer` is the number of a choice, counted from 0, or the choice itself. Other fields are passed over.

    Raises:
        InputError: the file cannot be read, or a line is neither.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is larger than {MOST_BYTES >> 20} MiB: split it")
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): a task is a JSON Lines file in UTF-8") from None
    found = [_parsed(line, f"{path} line {n}") for n, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise InputError(f"{path} holds no task: write a line of JSON for each question or text")
    return found


def _parsed(line: str, where: str) -> Question | str:
    try:
        entry = json.loads(line)
        line.encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error})") from None
    text = entry.get("text") if isinstance(entry, dict) and "prompt" not in entry else None
    if isinstance(text, str) and text:
        return _whole(text, where)
    wanted = 'must be {"prompt": text, "choices": [texts], "answer": number or choice}, or {"text": text}'
    if not isinstance(entry, dict) or not isinstance(entry.get("prompt"), str):
        raise InputError(f"{where} {wanted}")
    choices = entry.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, str) and choice for choice in choices):
        raise InputError(f"{where} {wanted}; no choice may be empty")
    if not 2 <= len(choices) <= MOST_CHOICES:
        raise InputError(f"{where} has {len(choices)} choices: a question has 2 to {MOST_CHOICES}")
    for each in (entry["prompt"], *choices):
        _whole(each, where)
    return Question(entry["prompt"], tuple(choices), _answer(entry.get("answer"), choices, where))


def _answer(given: object, choices: list[str], where: str) -> int:
    if isinstance(given, str) and given in choices:
        return choices.index(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < len(choices):
        return given
    raise InputError(
        f"{where}: answer must be one of its choices, or the number of one from 0 to {len(choices) - 1}, not {given!r}"
    )


def _whole(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{where} holds half of a character (a lone surrogate): write it whole") from None
    return text


# ---------------------------------------------------------------------- the model


@dataclasses.dataclass(frozen=True)
class _Asked:
    """Tokens to be read, of which the last `n` are scored, for line `line`; `is_cut` where more stand before them."""

    line: int
    ids: list[int]
    n: int
    is_cut: bool = False


def answer_task(
    run: LoadedRun,
    lines: Sequence[Question | str],
    heard: Callable[[int, int], object] = lambda done, of: None,
) -> TaskResult:
    """What the model makes of every line.

    Args:
        heard: called with how many of how many texts have been read.

    Raises:
        InputError: a choice is longer than the model's context, or the model's outputs are not finite.
    """
    engine = run.engine()
    asked = [each for number, line in enumerate(lines) for each in _asked(engine, line, number)]
    sums: list[list[float]] = []
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        for each, tokens in zip(some, score(engine, [each.ids for each in some]), strict=True):
            sums.append([token.logprob for token in tokens[len(tokens) - each.n :]])
        heard(min(len(asked), start + AT_ONCE), len(asked))
    by_line: list[list[float]] = [[] for _ in lines]
    for each, logprobs in zip(asked, sums, strict=True):
        by_line[each.line].append(math.fsum(logprobs))
    cut = {each.line for each in asked if each.is_cut}
    answered, read = list[Answered](), list[Read]()
    for number, (line, logprobs) in enumerate(zip(lines, by_line, strict=True)):
        if isinstance(line, Question):
            n_unknown = sum(map(engine.tokenizer.count_unknown, (line.prompt, *line.choices)))
            answered.append(Answered(line, tuple(logprobs), n_unknown, number in cut))
        else:
            read.append(Read(line, math.fsum(logprobs), engine.tokenizer.count_unknown(line)))
    return TaskResult(answered, read)


def _asked(engine: Engine, line: Question | str, number: int) -> Iterator[_Asked]:
    if isinstance(line, str):
        yield from _windows(engine, line, number)
        return
    for choice in line.choices:
        yield _continuation(engine, line.prompt, choice, number)


def _start(engine: Engine) -> list[int]:
    """What stands before the first token of a text."""
    return list(engine.tokenizer.beginning or (engine.tokenizer.end_of_text,))


def _continuation(engine: Engine, prompt: str, choice: str, number: int) -> _Asked:
    """A choice after its prompt, of which the beginning goes where both do not fit.

    Both are made into tokens together, as they stand in a text. Blanks at the end of the prompt count as the choice's,
    as tokens begin with blanks more often than they end with them.
    """
    tokenizer, context = engine.tokenizer, engine.model.config.context_length
    before = prompt.rstrip()
    n_before = len(tokenizer.encode(before)) if before else 0
    ids = tokenizer.encode(prompt + choice).tolist()
    n = len(ids) - n_before
    if n < 1:
        raise InputError(f"question {number + 1}: {choice!r} makes no token of its own after its prompt")
    if n > context:
        raise InputError(
            f"question {number + 1}: a choice has {n:,} tokens, and the model sees {context:,}: shorten it"
        )
    start = _start(engine) if not before else list(tokenizer.beginning)
    read = [*start, *ids][-(context + 1) :]  # the last token need not be read
    return _Asked(number, read, n, len(read) < len(start) + len(ids))


def _windows(engine: Engine, text: str, number: int) -> Iterator[_Asked]:
    """A text in windows of the context: every token is scored once, and the last window looks back as far as it can."""
    context, start = engine.model.config.context_length, _start(engine)
    ids = [*start, *engine.tokenizer.encode(text).tolist()]
    done = len(start)
    while done < len(ids):
        end = min(done + context, len(ids))
        yield _Asked(number, ids[max(0, end - context - 1) : end], end - done)
        done = end
