"""Numbers of accounts and cards, which carry checksums, and other long runs of digits, which do not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pellucid.text.chats.private.spans import Span, digits_of, runs

# Lengths of International Bank Account Numbers by country (ISO 13616, the registry of SWIFT).
# fmt: off
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}
# fmt: on
IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}[ -]?[0-9](?:[ \u00a0\u202f-]?[A-Z0-9]){12,31}+", re.IGNORECASE)

# How card numbers are written, as the sizes of their groups: four by four, American Express, Diners Club.
CARD_SHAPES = {(n,) for n in range(13, 20)}
CARD_SHAPES |= {
    (4, 4, 4, 4),
    (4, 6, 5),
    (4, 6, 4),
    (4, 4, 5),
    (4, 4, 4, 4, 1),
    (4, 4, 4, 4, 2),
    (4, 4, 4, 4, 3),
}
CARD_STARTS = (
    "23456"  # Mir and Mastercard, American Express and Diners Club, Visa, Mastercard, Discover and UnionPay
)
MOST_GROUPS = 5

# From nine digits on: a phone or an account has so many, a year, a date, a price seldom
SIGNIFICANT = 3  # digits before the zeros of a round number: "250000000 times"
NUMBER = re.compile(r"(?<!\w)(?<!\d[.,])\d{9,}+(?![\w]|[.,]\d)")
PLAIN_GROUP = re.compile(r"(?:19|20)\d\d|\d+00")
OPERATOR = r"\s{0,2}(?:\*\*|==|[*×·^÷=<>≈+])\s{0,2}"
FORMULA_BEFORE = re.compile(rf"(?:[\d)\]]|(?<!\w)[A-Za-z]){OPERATOR}$")
FORMULA_AFTER = re.compile(rf"{OPERATOR}(?:[\d(\[]|[A-Za-z](?!\w))")


def ibans(text: str) -> Iterator[Span]:
    """International Bank Account Numbers of the length their country has and with a right checksum."""
    start = 0
    while match := IBAN.search(text, start):
        end = _iban_end(text, match)
        if end:
            yield match.start(), end
        start = end or match.start() + 2  # 32 characters at most are looked at again: still linear


def _iban_end(text: str, match: re.Match[str]) -> int | None:
    length = IBAN_LENGTHS.get(match[0][:2].upper())
    if length is None:
        return None
    places = [place for place in range(match.start(), match.end()) if text[place].isalnum()]
    if len(places) < length:
        return None
    end = places[length - 1] + 1
    if text[end : end + 1].isalnum():
        return None
    return end if iban_is_right("".join(text[place] for place in places[:length])) else None


def iban_is_right(iban: str) -> bool:
    """ISO 7064, mod 97-10: the first four characters moved to the end, letters as 10 to 35, leave a rest of 1."""
    moved = (iban[4:] + iban[:4]).upper()
    return moved.isascii() and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def cards(text: str) -> Iterator[Span]:
    """Card numbers as they are printed or run together, with a right checksum."""
    for found in runs(text):
        first = 0
        while first < len(found):
            last = _card(text, found, first)
            if last is not None:
                yield found[first][0], found[last][1]
            first = first + 1 if last is None else last + 1


def _card(text: str, found: list[Span], first: int) -> int | None:
    """The last group of the card number that begins with a group, the longest one."""
    if text[found[first][0]] not in CARD_STARTS or text[max(0, found[first][0] - 1) : found[first][0]] == "+":
        return None
    for last in reversed(range(first, min(first + MOST_GROUPS, len(found)))):
        shape = tuple(stop - start for start, stop in found[first : last + 1])
        if shape in CARD_SHAPES and luhn_is_right(digits_of(text[found[first][0] : found[last][1]])):
            return last
    return None


def luhn_is_right(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right doubled, the sum of all digits a multiple of 10."""
    total = sum(map(int, digits[::-2])) + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return total % 10 == 0 and len(set(digits)) > 1


def long_numbers(text: str) -> Iterator[Span]:
    """Nine digits or more in one run, or 12 and more in groups of four; not round numbers, decimals or formulas."""
    grouped = ((found[0][0], found[-1][1]) for found in runs(text) if _is_an_account(text, found))
    single = (match.span() for match in NUMBER.finditer(text))
    end = 0
    for start, stop in sorted(itertools.chain(grouped, single)):
        if start >= end and not _is_round(text[start:stop]) and not in_formula(text, start, stop):
            yield start, stop
            end = stop


def _is_an_account(text: str, found: list[Span]) -> bool:
    """Three groups of four digits or more; a last one may be shorter. Years and round numbers in a row are not."""
    if (
        len(found) < 3
        or any(stop - start != 4 for start, stop in found[:-1])
        or found[-1][1] - found[-1][0] > 4
    ):
        return False
    return not all(PLAIN_GROUP.fullmatch(text[start:stop]) for start, stop in found)


def _is_round(text: str) -> bool:
    return len(digits_of(text[:64]).rstrip("0")) <= SIGNIFICANT


def in_formula(text: str, start: int, stop: int) -> bool:
    """Whether an operator and an operand stand beside a number: `2**32 = 4294967296`, `x = 1234567890`."""
    before, after = text[max(0, start - 8) : start], text[stop : stop + 8]
    return bool(FORMULA_BEFORE.search(before) or FORMULA_AFTER.match(after))
