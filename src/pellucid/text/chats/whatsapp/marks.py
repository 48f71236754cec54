"""What is seen of a line: direction marks taken out, and its beginning with plain spaces and digits."""

from __future__ import annotations

import re

INVISIBLE = "\ufeff\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"  # byte order mark, marks of direction
MARKS = re.compile(f"[{INVISIBLE}]+")
EACH_MARK = "\ufeff\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
OWN_WORDS = "\u200e\u200f"  # WhatsApp puts one before words of its own, as "image omitted"
MOST_HEAD = 240  # characters of a line in which its date, time and author are looked for

# The digit zero of the scripts that have digits of their own; one to nine follow it.
ZEROS = (
    *(0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66),
    *(0x0DE6, 0x0E50, 0x0ED0, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x1C50, 0xAA50, 0xFF10),
    *(0x0F20, 0x19D0, 0xA9D0, 0xABF0, 0x11136, 0x1E140, 0x1E950),
)
SPACES = "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
EACH_SPACE = re.compile(f"[{SPACES}]")
PLAIN_SPACES = str.maketrans(dict.fromkeys(SPACES, " "))
PLAIN = (
    {zero + digit: str(digit) for zero in ZEROS for digit in range(10)}
    | PLAIN_SPACES
    | str.maketrans("،，、：／．－‐‑‒–—−", ",,,:/.-------")
)


def without_marks(text: str) -> str:
    """`text` without byte order marks and marks of direction, wherever they stand."""
    if text.isascii():
        return text
    for mark in EACH_MARK:  # a substitution by pattern takes memory for each mark of a long line
        text = text.replace(mark, "")
    return text


def plain(text: str) -> str:
    """`text`, character for character, with ASCII digits, spaces, commas and hyphens: to find a frame in."""
    return text if text.isascii() and "\t" not in text else text.translate(PLAIN)


def plain_spaces(text: str) -> str:
    """`text` with every kind of space as U+0020."""
    return text if text.isascii() and "\t" not in text else EACH_SPACE.sub(" ", text)


def raw_offset(line: str, offset: int) -> int:
    """Where in `line` the character stands that `without_marks(line)` has at `offset`, or the marks before it."""
    if line.isascii():
        return offset
    seen = 0
    for index, character in enumerate(line):
        if seen == offset:
            return index
        seen += MARKS.match(character) is None
    return len(line)


def is_own_word(text: str) -> bool:
    """Whether `text` begins with the mark that WhatsApp puts before words of its own."""
    beginning = MARKS.match(text[:16])
    return beginning is not None and any(mark in beginning[0] for mark in OWN_WORDS)
