"""Where something private stands in a text, and what finders have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Span = tuple[int, int]  # where it begins, where it ends

# Digits with at most one separator between them, from the first to the last. Possessive: never gone through twice.
DIGITS = re.compile(r"(?<!\w)\d(?:[ \u00a0\u2009\u202f\u2010-\u2012-]?\d)*+")
WORD = re.compile(r"\w")
GROUP = re.compile(r"\d+")
COVER = "\0"  # what stands in for a character that was found: no digit, no letter, no blank


def covered(text: str, spans: Iterable[Span]) -> str:
    """`text`, as long as before, with `spans` (in order, apart) made unrecognisable to the next finders."""
    parts, end = list[str](), 0
    for start, stop in spans:
        parts += [text[end:start], COVER * (stop - start)]
        end = stop
    return "".join([*parts, text[end:]]) if parts else text


def groups(text: str, span: Span) -> list[Span]:
    """The runs of digits in a span."""
    return [match.span() for match in GROUP.finditer(text, *span)]


def digits_of(text: str) -> str:
    """The digits of any script in `text`, as 0 to 9."""
    return "".join(str(int(c)) for c in text if c.isdecimal())


def runs(text: str) -> Iterator[list[Span]]:
    """The groups of digits that stand with single separators between them; a group that goes on in letters is none."""
    for match in DIGITS.finditer(text):
        found = groups(text, match.span())
        if WORD.match(text, match.end()):
            found.pop()
        if found:
            yield found
