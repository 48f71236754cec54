"""Other names for the people of a chat, the same ones everywhere; with `--names`.

A name is taken word by word: each word of an author's name has one word that stands for it, so that `Anna Lund`,
`Anna`, `@annalund` and `Lund's` stay one person, and two Annas still share a first name. In texts a word is replaced
in any case and with or without its accents, as a whole word.

Three kinds of words are replaced in texts only where they are plainly a name (after `@`, beside another word of the
same name, capitalised within a sentence or before a comma): words of one or two letters, those that are also common
words, such as Will, May or Rose, and what contacts are called at home, such as Mum. Otherwise a model would learn that
`will` is a name. Inflected names (`Annalle`) and nicknames nobody has as a contact are not found.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from pellucid.text.chats.people import ROLES
from pellucid.text.wording import plural

# fmt: off
FIRST = (
    "Robin", "Alex", "Kim", "Charlie", "Sascha", "Noa", "Jamie", "Luca", "Casey", "Toni", "Morgan", "Dana", "Riley",
    "Nicky", "Quinn", "Andrea", "Taylor", "Mika", "Jules", "Avery", "Kaya", "Reese", "Jona", "Logan", "Sidney",
    "Marlowe", "Finley", "Rowan", "Emery", "Skyler", "Harley", "Devon", "Ariel", "Cameron", "Elliot", "Jaden",
    "Kendall", "Lennox", "Milan", "Parker",
)
LAST = (
    "Hill", "Lake", "Brook", "Marsh", "Ford", "Dale", "Woods", "Rivers", "Fields", "Banks", "Heath", "Moor", "Shaw",
    "Thorn", "Glenn", "Birch", "Ash", "Frost", "Snow", "Winter", "Stone", "Meadow", "Cliff", "Bay", "Lane", "Bridge",
    "Church", "Tower", "Mill", "Orchard",
)
PARTICLES = frozenset((
    "de", "da", "do", "dos", "del", "della", "di", "la", "le", "van", "von", "der", "den", "zu", "ter", "bin", "ibn",
    "al", "el", "abu", "of", "the", "and", "und", "y", "e", "i", "dr", "mr", "mrs", "ms", "prof", "herr", "frau",
))
COMMON = frozenset((  # names that are words too, in some of the languages people write chats in
    "will", "may", "mark", "rose", "grace", "hope", "joy", "faith", "summer", "bill", "frank", "jack", "art", "max",
    "pat", "rob", "sue", "dawn", "amber", "ruby", "chip", "drew", "guy", "ray", "rich", "rusty", "sandy", "sunny",
    "ivy", "lily", "daisy", "violet", "heather", "hazel", "iris", "olive", "jade", "pearl", "crystal", "april", "june",
    "august", "autumn", "melody", "harmony", "destiny", "angel", "christian", "dean", "earl", "duke", "king", "prince",
    "chase", "grant", "wade", "lance", "miles", "nick", "penny", "bob", "don", "gene", "harry", "jimmy", "josh", "ken",
    "mike", "peg", "randy", "rod", "skip", "stew", "tony", "victor", "ward", "young", "black", "white", "brown",
    "green", "gray", "long", "short", "small", "little", "good", "best", "love", "day", "week", "fox", "wolf", "bush",
    "cook", "baker", "smith", "miller", "page", "price", "sharp", "wise", "wood", "woods", "stone", "hill", "lake",
    "ernst", "klein", "lang", "kurz", "jung", "koch", "wagner", "bauer", "richter", "schwarz", "weiss", "braun",
    "kaiser", "könig", "vogel", "berg", "stein", "sommer", "winter", "herbst", "engel", "wild", "stark", "reich",
    "rosa", "clara", "sol", "luz", "mar", "cruz", "paz", "dolores", "mercedes", "consuelo", "santa", "mia", "alba",
    "aurora", "bella", "bruno", "serena", "stella", "vera", "viola", "claire", "blanche", "fleur", "pierre", "roman",
    "petit", "grand", "ben", "can", "deniz", "ela", "umut", "barış", "jan", "sen", "son", "love", "stig", "liv", "sky",
    "sun", "star", "me", "you", "my", "work", "home", "school", "office", "new", "old", "uk", "usa",
))
AT_HOME = frozenset((
    "mum", "mom", "mommy", "mummy", "mama", "mamma", "mami", "mutti", "maman", "mamá", "dad", "daddy", "papa", "papá",
    "papi", "vati", "babbo", "pai", "mãe", "anne", "baba", "мама", "папа", "oma", "opa", "grandma", "grandpa", "granny",
    "nana", "abuela", "abuelo", "nonna", "nonno", "aunt", "auntie", "uncle", "tante", "onkel", "brother", "sister",
    "bro", "sis", "bruder", "schwester", "husband", "wife", "honey", "baby", "schatz", "boss", "chef", "doctor",
))
# fmt: on
WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*")
MARKS = r"[\u0300-\u036f]*"
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
BEFORE_A_SENTENCE = re.compile(r"(?:^|[.!?…:;\n\"“«(])[\s\"“«(]*$")
REACH = 16  # characters before a word that tell whether a sentence begins
LEAST_SURE = 3  # letters


class Pseudonyms:
    """Names for the authors of a chat, in the order they are given; the same people always get the same names.

    Args:
        authors: their names, each once; roles and phone numbers among them are no names to look for.
        texts: what they wrote, where the new names are looked for: a name that is in use there is not given.
    """

    def __init__(self, authors: Iterable[str], texts: Iterable[str] = ()) -> None:
        self.authors = [author for author in authors if author not in ROLES]
        taken = self._words_of(self.authors) | self._words_of(texts)
        self._first, self._last = _free(FIRST, taken), _free(LAST, taken)
        self._stand_in: dict[str, str] = {}  # by folded word
        self._unsure = set[str]()
        self._unnamed: dict[str, str] = {}  # authors whose names have no words
        self._joined: dict[str, str] = {}
        for author in self.authors:
            self._name(author)
        self._pattern = self._compile()

    @staticmethod
    def _words_of(texts: Iterable[str]) -> set[str]:
        return {_folded(word) for text in texts for word in WORD.findall(text)}

    def _name(self, author: str) -> None:
        words = _words(author)
        for place, word in enumerate(words):
            key = _folded(word)
            if key not in self._stand_in:
                self._stand_in[key] = next(self._last if place else self._first)
            if (len(key) < LEAST_SURE and not UNSPACED.search(key)) or key in COMMON_FOLDED:
                self._unsure.add(key)
        if len(words) > 1:
            self._joined["".join(map(_folded, words))] = "".join(self._stand_in[_folded(w)] for w in words)
        if not words:
            self._unnamed.setdefault(author, next(self._first))

    def author(self, name: str) -> str:
        """The name to show for an author; unknown ones are searched for known words, as a text is."""
        if name in ROLES:
            return name
        if name in self._unnamed:
            return self._unnamed[name]
        known = [self._stand_in.get(_folded(word)) for word in _words(name)]
        return " ".join(word for word in known if word) or self.text(name)

    def text(self, text: str) -> str:
        """`text` with the names in it replaced."""
        if self._pattern is None:
            return text
        folded = _same_length(text)
        parts, end = list[str](), 0
        for match in self._pattern.finditer(folded):
            start, stop = match.span("name")
            new = self._replacement(text, folded, start, stop)
            if new is not None:
                parts += [text[end:start], new]
                end = stop
        return "".join([*parts, text[end:]]) if parts else text

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how names were replaced."""
        notes = [
            f"{plural(len(self.authors), 'name')} replaced by others, in texts too; nicknames are not found"
        ]
        if unsure := sorted(self._unsure):
            notes.append(
                "also common words, and left in texts where they need not be a name: " + ", ".join(unsure[:8])
            )
        return tuple(notes)

    def _compile(self) -> re.Pattern[str] | None:
        """All words to look for, the longest first; an `s` of the genitive may follow."""
        keys = sorted({*self._stand_in, *self._joined}, key=lambda key: (-len(key), key))
        spaced = [_pattern(key) for key in keys if not UNSPACED.search(key)]
        unspaced = [_pattern(key) for key in keys if UNSPACED.search(key) and len(key) > 1]
        forms = []
        if spaced:
            forms.append(rf"(?<![^\W_])(?:{'|'.join(spaced)})(?=s?(?![^\W_]))")
        forms += unspaced
        return re.compile(rf"(?P<name>{'|'.join(forms)})") if forms else None

    def _replacement(self, text: str, folded: str, start: int, stop: int) -> str | None:
        """What stands for the name found at a place; None if it need not be one."""
        key = _bare(folded[start:stop])
        if key in self._joined:
            return self._joined[key]
        genitive = folded[stop : stop + 1] == "s"
        if (key in self._unsure or (genitive and key in COMMON_FOLDED)) and not self._is_plainly_a_name(
            text, folded, start, stop
        ):
            return None
        return self._stand_in[key]

    def _is_plainly_a_name(self, text: str, folded: str, start: int, stop: int) -> bool:
        if text[start - 1 : start] == "@":
            return True
        if not text[start].isupper():
            return False
        neighbours = (_last_word(folded[:start]), _first_word(folded[stop:]))
        if any(word in self._stand_in for word in neighbours if word) or text[stop : stop + 1] == ",":
            return True  # beside another word of the name, or spoken to
        return not BEFORE_A_SENTENCE.search(text[max(0, start - REACH) : start])


def _free(names: Sequence[str], taken: set[str]) -> Iterator[str]:
    """Names in their order that are not taken, then the same again with numbers."""
    number = 1
    while True:
        for name in names:
            if number > 1:
                yield f"{name}{number}"
            elif name.lower() not in taken:
                yield name
        number += 1


def _words(name: str) -> list[str]:
    words = [word for word in WORD.findall(name) if _folded(word) not in PARTICLES]
    return words or WORD.findall(name)


@functools.lru_cache(maxsize=65536)
def _fold(character: str) -> str:
    """In lower case and without its accent; always one character, so that places stay where they are."""
    base = unicodedata.normalize("NFD", character)[0] if not "가" <= character <= "힣" else character
    lower = base.lower()
    return lower if len(lower) == 1 else base


def _same_length(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(_fold, text))


def _bare(folded: str) -> str:
    return re.sub(r"[\u0300-\u036f._-]", "", folded)


def _folded(word: str) -> str:
    return _bare(_same_length(word))


def _pattern(key: str) -> str:
    """The letters of a name, each with any accents."""
    return "".join(re.escape(letter) + MARKS for letter in key)


def _last_word(folded: str) -> str | None:
    match = re.search(r"([^\W\d_]+) $", folded[-REACH * 2 :])
    return match[1] if match else None


def _first_word(folded: str) -> str | None:
    match = re.match(r" ([^\W\d_]+)", folded[: REACH * 2])
    return match[1] if match else None


COMMON_FOLDED = frozenset(_folded(word) for word in COMMON | AT_HOME)
