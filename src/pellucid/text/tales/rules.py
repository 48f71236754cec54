"""Which rules of the tales a text keeps: counted, and by how far apart what belongs together stands.

What is looked at are the places where a rule can be kept or broken, so that texts with other faults can be judged, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pellucid.text.tales.tales import QUOTES
from pellucid.text.tales.words import HEROES, HOMES, NOUNS, PRONOUNS

DISTANCES = (16, 64, 256, 1024)  # characters: the upper ends of the ranges that are told apart
RULES = {
    "names": "the hero keeps the name",
    "pronouns": "he, she or it, as the name asks",
    "agreement": "one fox was, two foxes were",
    "quotes": "every quote is closed, in the right order",
    "wishes": "what is looked for and found is what was wished for",
    "homes": "who went home went where they lived",
    "companions": "who kept watch is who set out",
}

_HERO_OF = {hero.name: hero for hero in HEROES}
_HOME_OF = {home.where: home.word for home in HOMES}
_NOUN_OF = {noun.word: noun for noun in NOUNS}
_MET = {noun.met: noun.word for noun in NOUNS}
# words that a sentence of the tales can begin with; any other word with a capital is a name
_NO_NAMES = {"Once", "Long", "One", "In", "The", "After", "Soon", "At", "And", "Go", "Beware", "Look"} | {
    subject.capitalize() for subject in PRONOUNS
}
_WORD = "|".join(map(re.escape, _NOUN_OF))
_VERBS = {"was": False, "says": False, "lives": False, "were": True, "say": True, "live": True}
_AGREEMENTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\bThe ({_WORD})(?:, whom? [^,.\"'\n]*,)? (was|were)\b",
        rf"\b({_WORD}) that (was|were)\b",
        rf"\b({_WORD}) who (lives?)\b",
        rf"\b({_WORD})(?: who lives? [^,.\"'\n]*)? (says?),",
    )
)


class Observation(NamedTuple):
    """A place where a rule is kept or broken, and how many characters lie between what belongs together."""

    rule: str
    distance: int
    is_right: bool


@dataclass(frozen=True)
class Kept:
    """How often a rule was kept, of how many times that it could be.

    `by_distance` has a row for each of DISTANCES and one for all beyond: up to so many characters (None: any number),
    right, total.
    """

    rule: str
    right: int
    total: int
    by_distance: tuple[tuple[int | None, int, int], ...]


def check(texts: Iterable[str]) -> list[Kept]:
    """How the rules are kept in some texts, each from its beginning; a last line that breaks off is left out."""
    seen = [observation for text in texts for observation in observe(text[: text.rfind("\n") + 1])]
    return [_count(rule, [one for one in seen if one.rule == rule]) for rule in RULES]


def observe(text: str) -> Iterator[Observation]:
    """Every place of a text where a rule is kept or broken."""
    yield from _people(text)
    yield from _agreement(text)
    yield from _quotes(text)
    yield from _recurring(text, "wishes", r"wished for a (\w+ \w+)", r"(?:looked for|found) the (\w+ \w+)")
    yield from _recurring(text, "homes", r"there lived \w+ ([a-z ]+)", r"home to the (\w+)", _HOME_OF)
    yield from _recurring(text, "companions", r"set out with (\w+ \w+)", r"the (\w+) kept watch", _MET)


def _count(rule: str, seen: list[Observation]) -> Kept:
    rows, lower = list[tuple[int | None, int, int]](), -1
    for upper in (*DISTANCES, None):
        here = [
            one.is_right for one in seen if lower < one.distance and (upper is None or one.distance <= upper)
        ]
        rows.append((upper, sum(here), len(here)))
        lower = upper or lower
    return Kept(rule, sum(one.is_right for one in seen), len(seen), tuple(rows))


def _people(text: str) -> Iterator[Observation]:
    """Names, from where the name was said first; pronouns, from where it was said last."""
    introduction = re.search(r"there lived (\w+)", text)
    if not introduction:
        return
    name, first = introduction[1], introduction.end()
    hero, last = _HERO_OF.get(name), first
    all_pronouns = {*PRONOUNS, *PRONOUNS.values()}
    for word in re.compile(r"[A-Za-z]+").finditer(text, first):
        if word[0][0].isupper() and word[0] not in _NO_NAMES:
            yield Observation("names", word.start() - first, word[0] == name)
            last = word.end()
        elif hero and word[0].lower() in all_pronouns:
            is_right = word[0].lower() in (hero.subject, hero.possessive)
            yield Observation("pronouns", word.start() - last, is_right)


def _agreement(text: str) -> Iterator[Observation]:
    for pattern in _AGREEMENTS:
        for found in pattern.finditer(text):
            is_right = _NOUN_OF[found[1]].plural == _VERBS[found[2]]
            yield Observation("agreement", found.start(2) - found.end(1), is_right)


def _quotes(text: str) -> Iterator[Observation]:
    """From where a quote opens to where it closes; at the end of its line it must be closed."""
    for line in text.split("\n"):
        is_open = list[int]()
        for place, character in enumerate(line):
            if character not in QUOTES:
                continue
            if character == QUOTES[len(is_open) % len(QUOTES)]:
                is_open.append(place)
            elif is_open:
                yield Observation("quotes", place - is_open.pop(), True)
            else:  # the inner kind, where none is open
                yield Observation("quotes", 0, False)
        for place in is_open:
            yield Observation("quotes", len(line) - place, False)


def _recurring(
    text: str, rule: str, said: str, again: str, names: dict[str, str] | None = None
) -> Iterator[Observation]:
    """What is said once (and maybe called otherwise later) against every place where it comes again."""
    introduction = re.search(said, text)
    if not introduction:
        return
    value = names.get(introduction[1]) if names else introduction[1]
    if value is None:
        return  # a thing that no tale has: what it would be called later is not known
    for found in re.compile(again).finditer(text, introduction.end()):
        yield Observation(rule, found.start(1) - introduction.end(), found[1] == value)
