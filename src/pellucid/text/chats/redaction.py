"""Takes out of messages what a model should not learn by heart: addresses, numbers, codes; on by default.

It finds what has a shape. What is private by its meaning it cannot know, and it never claims to be complete.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from pellucid.errors import InputError
from pellucid.text.chats.private.addresses import emails, urls
from pellucid.text.chats.private.codes import codes
from pellucid.text.chats.private.numbers import cards, ibans, long_numbers
from pellucid.text.chats.private.phones import Phones, regions_of
from pellucid.text.chats.private.spans import Span, covered
from pellucid.text.chats.record import Message

# In this order: what one finder took, the next ones do not see. A web address may hold all the others, and a card
# number looks like a phone number more often than the other way round.
KINDS = {
    "url": "web addresses with a query or a key in them",
    "email": "e-mail addresses",
    "iban": "bank accounts with a right checksum",
    "card": "card numbers with a right checksum",
    "code": "one-time codes, PINs, and passwords with a digit",
    "phone": "phone numbers",
    "number": "other numbers of nine digits or more",
}
MOST_SAMPLES, SAMPLE_WIDTH = 3, 60
LONG_SAMPLE = 8  # letters and digits, of which the last is shown, too
WORTH_A_LOOK = re.compile(r"\d|[@＠]|://|\Wat\W|www\.|[a-z]/", re.IGNORECASE)

Finder = Callable[[str], Iterable[Span]]


@dataclasses.dataclass
class Found:
    """What was taken out: how many of each kind, and a few samples, as they stood."""

    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    samples: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def note(self, kind: str, text: str) -> None:
        self.counts[kind] += 1
        samples = self.samples.setdefault(kind, [])
        shown = text if len(text) <= SAMPLE_WIDTH else text[: SAMPLE_WIDTH - 1] + "…"
        if len(samples) < MOST_SAMPLES and shown not in samples:
            samples.append(shown)


def masked(sample: str) -> str:
    """A sample that tells its kind and not what it holds: letters and digits become dots.

    The first stays, and of a long one the last: `a•••@•••••••.••g`.
    """
    shown = [place for place, symbol in enumerate(sample) if symbol.isalnum()]
    kept = {*shown[:1], *(shown[-1:] if len(shown) >= LONG_SAMPLE else ())}
    return "".join(
        "•" if symbol.isalnum() and place not in kept else symbol for place, symbol in enumerate(sample)
    )


class Redactor:
    """Replaces what it finds by `[email]`, `[phone]` and so on, and keeps count.

    Args:
        keep: kinds to leave as they are.
        regions: countries such as "DE" whose phone numbers are known in the national form, the likeliest first.

    Raises:
        InputError: a kind is unknown.
    """

    def __init__(self, keep: Iterable[str] = (), regions: Sequence[str] = ()) -> None:
        self.keep = frozenset(keep)
        if unknown := sorted(self.keep - KINDS.keys()):
            raise InputError(f"--keep takes {', '.join(KINDS)}; there is no kind {unknown[0]!r}")
        self.found = Found()
        finders: dict[str, Finder] = {
            "url": urls,
            "email": emails,
            "iban": ibans,
            "card": cards,
            "code": codes,
            "phone": Phones(regions),
            "number": long_numbers,
        }
        self._finders = {kind: finders[kind] for kind in KINDS}

    def redact(self, text: str) -> str:
        """`text` with placeholders; takes time in proportion to its length."""
        spans = self.spans(text)
        if not spans:
            return text
        parts, end = list[str](), 0
        for start, stop, kind in spans:
            self.found.note(kind, text[start:stop])
            parts += [text[end:start], f"[{kind}]"]
            end = stop
        return "".join([*parts, text[end:]])

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Where what is to be replaced begins and ends, and its kind; in order, none over another."""
        if not WORTH_A_LOOK.search(text):
            return []
        found, left = list[tuple[int, int, str]](), text
        for kind, finder in self._finders.items():
            spans = list(finder(left))
            # what is kept is covered too: a phone number left in is no long number
            left = covered(left, spans)
            if kind not in self.keep:
                found += [(start, stop, kind) for start, stop in spans]
        return sorted(found)


def redactor_for(messages: Iterable[Message], keep: Iterable[str] = ()) -> Redactor:
    """A Redactor that knows the countries of those in the chat who are named by their phone numbers.

    Raises:
        InputError: as `Redactor`.
    """
    return Redactor(keep, regions_of(_names(messages)))


def _names(messages: Iterable[Message]) -> Iterator[str]:
    """Each person's once: a thousand messages are no thousand votes for a country."""
    return iter(dict.fromkeys(name for m in messages for name in {m.author, m.author_id} if name))
