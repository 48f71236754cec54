"""A stochastic grammar that is read in one way only, so that its probabilities and its entropy are exact.

A symbol is a rule with the values bound so far, and is replaced by one of its options. Where there are several, each
begins with a text, and none of these texts is the beginning of another: they are a prefix code. So a reader knows after
a few characters which option was taken, every story has exactly one derivation, and the entropy of derivations, which
follows from linear equations (Soule, Entropies of probabilistic grammars, 1974), is that of the stories themselves.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pellucid.errors import InputError

END = ""  # stands for the end of a story where next characters are told


class Symbol(NamedTuple):
    """What is to be replaced by an option of `rule(*bound)`."""

    rule: Callable[..., tuple[Option, ...]]
    bound: tuple[Any, ...] = ()


class Option(NamedTuple):
    """One way to go on: its probability, and texts and symbols in their order."""

    probability: float
    parts: tuple[str | Symbol, ...]


def call(rule: Callable[..., tuple[Option, ...]], *bound: Any) -> Symbol:
    """The symbol of a rule and its values."""
    return Symbol(rule, bound)


def weighted(*options: tuple[float, tuple[str | Symbol, ...]]) -> tuple[Option, ...]:
    """Options in proportion to their weights."""
    total = math.fsum(weight for weight, _ in options)
    return tuple(Option(weight / total, parts) for weight, parts in options)


def even(*options: tuple[str | Symbol, ...]) -> tuple[Option, ...]:
    """Options that are equally likely."""
    return weighted(*((1.0, parts) for parts in options))


class _Reading(NamedTuple):
    """How far a text was understood: bits so far, and what may come next with which probability."""

    bits: float
    next: dict[str, float]


class Grammar:
    """All stories that a symbol stands for, and how likely each is."""

    def __init__(self, start: Symbol) -> None:
        self.start = start
        self._options: dict[Symbol, tuple[Option, ...]] = {}
        self._values: dict[Symbol, tuple[float, float]] = {}

    def options(self, symbol: Symbol) -> tuple[Option, ...]:
        """The ways to replace a symbol."""
        known = self._options.get(symbol)
        if known is None:
            known = self._options[symbol] = symbol.rule(*symbol.bound)
        return known

    def symbols(self) -> Iterator[Symbol]:
        """Every symbol that a story can need, once."""
        seen, waiting = {self.start}, [self.start]
        while waiting:
            symbol = waiting.pop()
            yield symbol
            for option in self.options(symbol):
                for part in option.parts:
                    if isinstance(part, Symbol) and part not in seen:
                        seen.add(part)
                        waiting.append(part)

    def faults(self) -> list[str]:
        """What would make the numbers of this grammar wrong: sums that are not 1, options read in two ways."""
        found = []
        for symbol in self.symbols():
            options, name = self.options(symbol), symbol.rule.__name__
            if abs(math.fsum(option.probability for option in options) - 1) > 1e-12:
                found.append(f"{name}: probabilities do not sum to 1")
            if len(options) == 1:
                continue
            firsts = sorted(
                first for option in options for first in option.parts[:1] if isinstance(first, str)
            )
            if len(firsts) != len(options) or "" in firsts:
                found.append(f"{name}: an option does not begin with a text")
            # in this order a text stands right before those that it begins
            found += [f"{name}: {a!r} begins {b!r}" for a, b in itertools.pairwise(firsts) if b.startswith(a)]
        return found

    def write(self, draw: random.Random) -> str:
        """A story, by the random numbers of `draw`."""
        written: list[str] = []
        waiting: list[str | Symbol] = [self.start]
        while waiting:
            part = waiting.pop()
            if isinstance(part, str):
                written.append(part)
                continue
            options = self.options(part)
            (chosen,) = options if len(options) == 1 else (_drawn(options, draw.random()),)
            waiting.extend(reversed(chosen.parts))
        return "".join(written)

    def log_probability(self, story: str) -> float:
        """The natural logarithm of the probability of a whole story, its end included.

        Raises:
            InputError: this is no story of the grammar; the message says from which character on.
        """
        reading = self._read(story)
        if END not in reading.next:
            raise InputError(
                f"the story is not finished after its {len(story):,} characters: give a whole one"
            )
        return -reading.bits * math.log(2)

    def next_character(self, prefix: str) -> dict[str, float]:
        """The exact probability of every character that can follow `prefix`, and of END (an empty text).

        Raises:
            InputError: no story begins so.
        """
        return self._read(prefix).next

    def _read(self, text: str) -> _Reading:
        """Goes through `text` from its beginning, and says what can stand where it ends."""
        waiting: list[str | Symbol] = [self.start]
        bits, place = 0.0, 0
        while waiting:
            part = waiting.pop()
            options = (Option(1.0, (part,)),) if isinstance(part, str) else self.options(part)
            if len(options) == 1 and isinstance(part, Symbol):
                waiting.extend(reversed(options[0].parts))
                continue
            begun = []
            for option in options:
                first = option.parts[0]
                assert isinstance(first, str)
                if text.startswith(first, place):
                    bits -= math.log2(option.probability)
                    place += len(first)
                    waiting.extend(reversed(option.parts[1:]))
                    break
                if first.startswith(text[place:]):
                    begun.append((option.probability, first[len(text) - place]))
            else:
                if not begun:
                    place += max(_n_common(str(option.parts[0]), text, place) for option in options)
                    raise InputError(
                        f"no story of this grammar goes on with {text[place : place + 20]!r} at character {place:,}: "
                        "check the text there"
                    )
                return _Reading(bits, _merged(begun))
        if place < len(text):
            raise InputError(
                f"the story is over at character {place:,}, and the text goes on: give one story alone"
            )
        return _Reading(bits, {END: 1.0})

    def entropy_bits(self) -> float:
        """Bits a story, exactly: what the best possible predictor needs on average."""
        return self._value(self.start)[0]

    def expected_characters(self) -> float:
        """The mean length of a story, exactly; its end counts as one."""
        return self._value(self.start)[1] + 1

    def _value(self, symbol: Symbol) -> tuple[float, float]:
        """Bits and characters that a symbol stands for on average.

        A symbol may occur in its own options (then x = a + b x, so x = a / (1 - b)), but in no longer circle.
        """
        if symbol in self._values:
            return self._values[symbol]
        bits = length = again = 0.0
        for probability, parts in self.options(symbol):
            bits -= probability * math.log2(probability)
            for part in parts:
                if isinstance(part, str):
                    length += probability * len(part)
                elif part == symbol:
                    again += probability
                else:
                    part_bits, part_length = self._value(part)
                    bits += probability * part_bits
                    length += probability * part_length
        assert again < 1, "stories of this grammar need not end"
        self._values[symbol] = bits / (1 - again), length / (1 - again)
        return self._values[symbol]


def _drawn(options: tuple[Option, ...], place: float) -> Option:
    """The option in whose share of 0 to 1 a place lies."""
    for option in options:
        place -= option.probability
        if place < 0:
            return option
    return options[len(options) - 1]  # rounding left the sum a little below 1


def _merged(begun: list[tuple[float, str]]) -> dict[str, float]:
    """The next characters of options whose texts have begun, which share what was read of them."""
    total = math.fsum(probability for probability, _ in begun)
    merged: dict[str, float] = {}
    for probability, character in begun:
        merged[character] = merged.get(character, 0.0) + probability / total
    return merged


def _n_common(first: str, text: str, place: int) -> int:
    """How many characters of `first` stand in `text` at `place`."""
    pairs = zip(first, text[place : place + len(first)], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
