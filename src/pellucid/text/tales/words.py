"""What the tales are made of: names, homes, wishes, animals, strangers, and what agrees with each."""

from __future__ import annotations

from typing import NamedTuple


class Hero(NamedTuple):
    """A name, and the pronouns that it asks for ever after."""

    name: str
    subject: str
    possessive: str

    @property
    def capital(self) -> str:
        return self.subject.capitalize()


class Noun(NamedTuple):
    """One or two of a kind: `fox` or `foxes`, and how they are met: `a fox`, `two foxes`."""

    word: str
    met: str
    plural: bool

    def verb(self, singular: str, plural: str) -> str:
        """The form that agrees."""
        return plural if self.plural else singular

    @property
    def was(self) -> str:
        return self.verb("was", "were")


class Home(NamedTuple):
    """Where a hero lives, as `in a mill`, and what it is called when they come back."""

    where: str
    word: str


PRONOUNS = {"she": "her", "he": "his", "it": "its"}
NAMES = {
    "she": ("Mira", "Elsa", "Tilda", "Wanda", "Anka", "Nora"),
    "he": ("Otto", "Bruno", "Emil", "Jonas", "Hugo", "Peer"),
    "it": ("Pebble", "Button", "Clank", "Soot", "Thimble", "Rustle"),
}
HEROES = tuple(Hero(name, subject, PRONOUNS[subject]) for subject, names in NAMES.items() for name in names)
HOMES = (
    Home("in a mill", "mill"),
    Home("in a tower", "tower"),
    Home("on a boat", "boat"),
    Home("under a bridge", "bridge"),
    Home("beside a lake", "lake"),
)
WISHES = ("golden key", "silver bell", "red coat", "warm stove", "blue lantern", "paper crown")


def _nouns(*words: tuple[str, str]) -> tuple[Noun, ...]:
    """Each word and its plural."""
    return tuple(
        noun
        for one, many in words
        for noun in (Noun(one, f"a {one}", False), Noun(many, f"two {many}", True))
    )


ANIMALS = _nouns(
    ("fox", "foxes"),
    ("hen", "hens"),
    ("goose", "geese"),
    ("mouse", "mice"),
    ("wolf", "wolves"),
    ("cat", "cats"),
)
STRANGERS = _nouns(
    ("witch", "witches"),
    ("miller", "millers"),
    ("giant", "giants"),
    ("piper", "pipers"),
    ("sailor", "sailors"),
    ("thief", "thieves"),
)
NOUNS = ANIMALS + STRANGERS
SPOTS = ("by the well", "in the wood", "at the gate", "behind the hill", "under a stone", "near the sea")
PLACES = ("castle", "market", "river", "meadow", "cave", "old oak")
MOODS = ("hungry", "afraid", "asleep", "merry", "tired", "proud")
TRIFLES = ("a button", "a feather", "dust", "an empty nest", "dry bread")
