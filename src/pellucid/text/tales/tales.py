"""The tales themselves: the rules of their grammar, and what can be asked of it.

What is said early binds what comes late: a name its pronouns, a wish what is found at the end, a home where it ends,
one fox or two foxes every verb, however much stands between; a speech within a speech ends where it must.
"""

from __future__ import annotations

import random
from functools import cache

from pellucid.text.tales.grammar import Grammar, Option, call, even, weighted
from pellucid.text.tales.words import (
    ANIMALS,
    HEROES,
    HOMES,
    MOODS,
    NOUNS,
    PLACES,
    SPOTS,
    STRANGERS,
    TRIFLES,
    WISHES,
    Hero,
    Home,
    Noun,
)

GOES_ON = 0.7  # the probability of one scene more
DEEPEST = 3  # speeches within a speech
QUOTES = "\"'"  # by turns, from the outside in
OPENINGS = ("Once upon a time", "Long ago", "One winter", "In a far country")
TIMES = ("One morning", "The next day", "After a while", "In the evening", "Soon")

Options = tuple[Option, ...]


# ---------------------------------------------------------------------- who, where, what for, with whom


def tale() -> Options:
    """A whole story."""
    return even(*((f"{opening} there lived ", call(_hero)) for opening in OPENINGS))


def _hero() -> Options:
    return even(*((hero.name, " ", call(_home, hero)) for hero in HEROES))


def _home(hero: Hero) -> Options:
    return even(*((f"{home.where}. {hero.capital} wished for a ", call(_wish, hero, home)) for home in HOMES))


def _wish(hero: Hero, home: Home) -> Options:
    return even(
        *((f"{wish}, and {hero.subject} set out with ", call(_company, hero, home, wish)) for wish in WISHES)
    )


def _company(hero: Hero, home: Home, wish: str) -> Options:
    return even(*((f"{company.met}.\n", call(_journey, hero, home, wish, company)) for company in ANIMALS))


def _journey(hero: Hero, home: Home, wish: str, company: Noun) -> Options:
    again = call(_journey, hero, home, wish, company)
    return weighted(
        *((GOES_ON / len(TIMES), (f"{time} ", call(_scene, hero, wish, company), again)) for time in TIMES),
        (1 - GOES_ON, ("At last ", call(_ending, hero, home, wish, company))),
    )


# ---------------------------------------------------------------------- scenes


def _scene(hero: Hero, wish: str, company: Noun) -> Options:
    deed = call(_deed, hero, wish, company)
    return weighted((0.3, (f"{hero.name} ", deed)), (0.7, (f"{hero.subject} ", deed)))


def _deed(hero: Hero, wish: str, company: Noun) -> Options:
    close = call(_close, company)
    return weighted(
        (0.4, ("met ", call(_stranger, hero))),
        (0.2, (f"looked for the {wish} ", call(_spot), ", but found only ", call(_trifle), close)),
        (0.2, (f"lost {hero.possessive} way ", call(_spot), close)),
        (0.2, ("rested ", call(_spot), f", and the {company.word} kept watch", close)),
    )


def _close(company: Noun) -> Options:
    """The scene is over, or a sentence about those who came along is left."""
    return even((".\n",), (". ", call(_statement, company), "\n"))


def _stranger(hero: Hero) -> Options:
    return even(*((f"{who.met} ", call(_spot), ". ", call(_talk, hero, who)) for who in STRANGERS))


def _talk(hero: Hero, who: Noun) -> Options:
    answer = call(_answer, hero, who)
    return even(
        (
            f"The {who.word}",
            call(_clause, who),
            f' The {who.word} said, "',
            call(_speech, 0, "."),
            '"',
            answer,
        ),
        ('"', call(_speech, 0, ","), f'" said the {who.word}.', answer),
    )


def _answer(hero: Hero, who: Noun) -> Options:
    reply = call(_reply, hero, who)
    return weighted((0.4, ("\n",)), (0.2, (f" {hero.name} ", reply)), (0.4, (f" {hero.capital} ", reply)))


def _reply(hero: Hero, who: Noun) -> Options:
    return even(
        ("nodded and went on.\n",),
        (f"thanked the {who.word}.\n",),
        (f"shook {hero.possessive} head.\n",),
    )


def _ending(hero: Hero, home: Home, wish: str, company: Noun) -> Options:
    found = call(_found, hero, home, wish, company)
    return even((f"{hero.name} ", found), (f"{hero.subject} ", found))


def _found(hero: Hero, home: Home, wish: str, company: Noun) -> Options:
    return even(
        (
            f"found the {wish} ",
            call(_spot),
            f" and went home to the {home.word}. ",
            call(_statement, company),
            call(_farewell, hero),
        )
    )


def _farewell(hero: Hero) -> Options:
    return even(("\n",), (f" And {hero.name} never wished for anything again.\n",))


# ---------------------------------------------------------------------- one or two, across what stands between


def _statement(who: Noun) -> Options:
    return even((f"The {who.word}", call(_clause, who)))


def _clause(who: Noun) -> Options:
    """What follows `The fox`: its verb, maybe after a clause with other animals in it."""
    rest = (f", {who.was} ", call(_mood), ".")
    return weighted(
        (0.4, (f" {who.was} ", call(_mood), ".")),
        (0.2, (", whom the ", call(_noun, " feared"), *rest)),
        (0.2, (", who had seen the ", call(_noun, " "), call(_spot), *rest)),
        (0.2, (", who had heard of the ", call(_idle), *rest)),
    )


def _idle() -> Options:
    return even(*((f"{noun.word} that {noun.was} ", call(_mood)) for noun in NOUNS))


def _noun(after: str) -> Options:
    """One word and what stands after it, since `fox` alone begins `foxes`."""
    return even(*((noun.word + after,) for noun in NOUNS))


def _spot() -> Options:
    return even(*((spot,) for spot in SPOTS))


def _mood() -> Options:
    return weighted(*((1 / rank, (mood,)) for rank, mood in enumerate(MOODS, 1)))


def _trifle() -> Options:
    return even(*((trifle,) for trifle in TRIFLES))


# ---------------------------------------------------------------------- speech


def _speech(depth: int, end: str) -> Options:
    """What stands between two quotes, up to the sign `end` before the last of them."""
    options = [
        (0.25, ("Go to the ", call(_place, end))),
        (0.25, ("Beware of the ", call(_noun, end))),
        (0.15, ("Look ", call(_spot), end)),
    ]
    if depth < DEEPEST:
        options.append((0.35, ("The ", call(_teller, depth + 1, end))))
    return weighted(*options)


def _place(end: str) -> Options:
    return even(*((place + end,) for place in PLACES))


def _teller(depth: int, end: str) -> Options:
    """Somebody else's speech, in the other kind of quotes."""
    quote = QUOTES[depth % 2]
    told = (call(_speech, depth, end), quote)
    options = []
    for noun in STRANGERS:
        says = noun.verb("says", "say")
        options.append((0.5, (f"{noun.word} {says}, {quote}", *told)))
        lives = noun.verb("lives", "live")
        options.append((0.5, (f"{noun.word} who {lives} ", call(_spot), f" {says}, {quote}", *told)))
    return weighted(*options)


# ---------------------------------------------------------------------- what can be asked of it


@cache
def grammar() -> Grammar:
    """The grammar of the tales."""
    return Grammar(call(tale))


def write(seed: int, index: int) -> str:
    """Story `index` of the endless sequence of a seed: the same on every machine and in every Python."""
    return grammar().write(random.Random(f"tales {seed} {index}"))  # text seeds go through SHA-512


def log_probability(story: str) -> float:
    """The natural logarithm of the probability of a whole tale, its end included.

    Raises:
        InputError: this is no tale; the message says from which character on.
    """
    return grammar().log_probability(story)


def next_character(prefix: str) -> dict[str, float]:
    """The exact probability of every character that can follow the beginning of a tale; "" stands for its end.

    Raises:
        InputError: no tale begins so.
    """
    return grammar().next_character(prefix)


def entropy_bits() -> float:
    """Bits a tale, exactly: what the best possible predictor needs on average."""
    return grammar().entropy_bits()


def expected_characters() -> float:
    """The mean length of a tale, exactly; its end counts as one character."""
    return grammar().expected_characters()


def floor() -> float:
    """Bits a character (ends of tales count as such) that no predictor can go below on average."""
    return entropy_bits() / expected_characters()
