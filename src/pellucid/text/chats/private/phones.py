"""Phone numbers, told from all other digits by the numbering plans in `phonenumbers`."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from pellucid.text.chats.private.numbers import in_formula
from pellucid.text.chats.private.spans import (
    ALPHABETIC,
    Span,
    covered,
    digits_of,
    goes_on,
    groups,
    with_ascii_digits,
)

LEAST, MOST = 7, 17  # digits
LEAST_A_GROUP = 1.6
LEAST_MOBILE = 9
MOST_GROUPS = 9
MOST_REGIONS = 3
SEPARATORS = " \u00a0\u2009\u202f./()\u2010-\u2013-"
# Up to three separators between groups, as in `+44 (0) 20 - 7946`. Possessive, and it begins where no candidate could
# go on from what stands before: linear.
CANDIDATE = re.compile(rf"(?<!{ALPHABETIC})(?<!\d[.,:])[+＋]?\(?[+＋]?\d(?:[{SEPARATORS}]{{0,3}}+\d)*+")
LABEL = re.compile(
    r"(?:(?<!\w)(?:tel|t[ée]l[ée]fono?|telefon\w{0,3}|t[ée]l[ée]phone|phone|mobile?|cell|handy|m[oó]vil|celular|gsm|"
    r"fax|whats ?app|ring|call(?: me)?|my number|meine nummer|mi n[uú]mero|num[ée]ro|n[uú]mero|тел\w{0,6}|puhelin|"
    r"phone number|number)(?!\w)|☎|📞|📱|电话|電話|手机|전화)"
    r"\W{0,3}(?:(?:is|ist|es|est|è|:|at|on|unter|al|nr)\W{0,2}){0,2}$",
    re.IGNORECASE,
)
LABEL_REACH = 32  # characters
DATE = re.compile(
    r"(?<!\d)(?<!\d[./-])(?:\d{1,2}([./-]) ?\d{1,2}\1 ?(?:\d{4}|\d{2})|(?:19|20)\d\d([./-])\d{1,2}\2\d{1,2}|"
    r"(?<![\d+)] )(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|"
    r"(?<![\d+)] )(?:0?[1-9]|[12]\d|3[01]) (?:0?[1-9]|1[0-2]) (?:19|20)\d\d(?! \d\d(?![:.])))(?!\d|[./-]\d)"
)
QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){2,}")  # an address of the internet, a version
YEARS = re.compile(r"(?:19|20)\d\d(?:\D{1,3}(?:19|20)\d\d)+")
UNIT = re.compile(
    r"\s?(?:[€$£¥₹₽%°]|(?:eur|euros?|usd|dollars?|gbp|chf|kr|zł|mal|times|x|km|kg|m|g|people|views|Mio)(?!\w))",
    re.IGNORECASE,
)
NOT_BEFORE = re.compile(
    r"(?:[€$£¥₹₽#№]|(?<![^\W\d_])(?:eur|usd|gbp|chf|isbn|ean|issn|doi|art|sku|order|version|v))[\s:.-]{0,2}$",
    re.IGNORECASE,
)
NOT_REACH = 12
NANP = re.compile(r"(?:1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d([ .-]))[2-9]\d\d[ .-]\d{4}")
BRACKETS = re.compile(r"(?:[18] ?)?\(\d{1,4}\) ?\d[\d -]+")  # an area in brackets
RUSSIAN = re.compile(r"8[ -]?9\d\d[ -]?\d{3}[ -]\d\d[ -]\d\d")  # dialled with an 8
OLD_MEXICAN = re.compile(r"\+521(\d{10})")  # a mobile's 1 is no longer dialled, and still shown
TRUNK = re.compile(r"\(?0(?:[1-9]|[ ]\(?[1-9]\d\d)")  # how numbers begin that are dialled within a country


class Phones:
    """Finds the phone numbers of some countries in the national form, and those of all in the international form.

    Args:
        regions: such as "DE"; three of them at most are tried.
    """

    def __init__(self, regions: Sequence[str] = ()) -> None:
        self.regions = tuple(regions[:MOST_REGIONS])

    def __call__(self, text: str) -> Iterator[Span]:
        """Where phone numbers stand, in order."""
        text = covered(text, (match.span() for match in DATE.finditer(text)))
        for match in CANDIDATE.finditer(text):
            yield from self._within(text, match.span())

    def _within(self, text: str, span: Span) -> Iterator[Span]:
        """The phone numbers in a candidate, which may hold two, or one and something else: longest first."""
        found = groups(text, span)
        first = 0
        while first < len(found):
            last = self._longest(text, span, found, first)
            if last is not None:
                yield _opened(text, span, found, first), found[last][1]
            first = first + 1 if last is None else last + 1

    def _longest(self, text: str, span: Span, found: list[Span], first: int) -> int | None:
        """The last group of the phone number that begins with a group."""
        ends, n_digits = list[int](), 0
        for last in range(first, min(first + MOST_GROUPS, len(found))):
            n_digits += found[last][1] - found[last][0]
            if n_digits > MOST:
                break
            dense = n_digits >= LEAST_A_GROUP * (last - first + 1)  # `1 2 3 4 5 6 7` is counting
            if n_digits >= LEAST and dense and not goes_on(text, found[last][1]):
                ends.append(last)
        if not ends:
            return None
        start = _opened(text, span, found, first)
        before = text[max(0, start - LABEL_REACH) : start]
        is_phone = self._test(text[start : start + 2], before)
        return next((last for last in reversed(ends) if is_phone(text, start, found[last][1])), None)

    def _test(self, begins: str, before: str) -> Callable[[str, int, int], bool]:
        """How to judge a number by its first two characters and by what stands before it."""
        if "+" in begins or "＋" in begins or before.endswith("@"):  # a mention in WhatsApp is `@4917…`
            return _is_international
        if before[-1:] == "+" or NOT_BEFORE.search(before[-NOT_REACH:]):
            return lambda text, start, stop: False
        labelled = bool(LABEL.search(before))
        return lambda text, start, stop: self._is_local(text, start, stop, labelled)

    def _is_local(self, text: str, start: int, stop: int, labelled: bool) -> bool:
        shown = with_ascii_digits(text[start:stop])
        if _looks_otherwise(text, shown, start, stop):
            return False
        digits = digits_of(shown)
        if digits.startswith("00") and len(digits) > LEAST + 2:
            return _is_valid("+" + digits[2:], None)
        if any(_is_national(shown, digits, region) for region in self.regions):
            return True
        return (labelled and len(digits) <= 15) or _is_shaped(shown, digits)


def _opened(text: str, span: Span, found: list[Span], first: int) -> int:
    """Where a number begins whose first group is given: with the plus and the bracket before it."""
    start, bound = found[first][0], span[0] if first == 0 else found[first - 1][1]
    while start > bound and text[start - 1] in "+＋(":
        start -= 1
    return start


def _is_international(text: str, start: int, stop: int) -> bool:
    """Valid, or at least possible and written like one: people leave out digits, and use made-up numbers."""
    shown = text[start:stop]
    number = OLD_MEXICAN.sub(r"+52\1", "+" + digits_of(shown.replace("(0)", "")))
    if _is_valid(number, None):
        return True
    in_groups = any(c in SEPARATORS for c in shown)
    return in_groups and len(number) > 9 and len(number.rstrip("0")) > 6 and _is_possible(number)


def _is_national(shown: str, digits: str, region: str) -> bool:
    """Whether a number is valid within a country, and begins as numbers do there.

    Where a 0 is dialled first, what has none is a phone number only if it is a mobile's, or has its area in brackets:
    in Germany half of all numbers of eight digits are somebody's.
    """
    if not _is_valid(shown, region):
        return False
    if digits.startswith("0") or shown.startswith("(") or not _dials_0(region):
        return True
    return len(digits) >= LEAST_MOBILE and _is_mobile(shown, region)


def _is_shaped(shown: str, digits: str) -> bool:
    """Whether digits of no known country are plainly a phone number: dialled with a 0, bracketed, or written 3-3-4."""
    if NANP.fullmatch(shown):
        return _is_valid(shown, "US")
    if RUSSIAN.fullmatch(shown):
        return _is_valid(shown, "RU")
    if BRACKETS.fullmatch(shown) and 9 <= len(digits) <= 12:
        return True
    if TRUNK.match(shown) and len(digits.lstrip("0")) >= 8 and 9 <= len(digits) <= 13:
        return True
    # an international number without its plus
    return 11 <= len(digits) <= 13 and not digits.startswith("0") and _is_mobile("+" + digits, None)


def _looks_otherwise(text: str, shown: str, start: int, stop: int) -> bool:
    """Years, an address of the internet, an amount, a formula, a time."""
    if YEARS.fullmatch(shown) or in_formula(text, start, stop) or UNIT.match(text, stop):
        return True
    if (
        QUAD.fullmatch(shown)
        and not shown.startswith("0")
        and any(len(part) != 2 for part in shown.split("."))
    ):
        return True
    return text[stop : stop + 1] in (":", ",") and text[stop + 1 : stop + 2].isdecimal()


@functools.lru_cache(maxsize=4096)
def _is_valid(number: str, region: str | None) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


@functools.lru_cache(maxsize=4096)
def _is_possible(number: str) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return False


@functools.lru_cache(maxsize=4096)
def _is_mobile(number: str, region: str | None) -> bool:
    import phonenumbers

    if not _is_valid(number, region):
        return False
    kinds = phonenumbers.PhoneNumberType
    kind = phonenumbers.number_type(phonenumbers.parse(number, region))
    return kind in (kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE)


@functools.cache
def _dials_0(region: str) -> bool:
    import phonenumbers

    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return plan is not None and plan.national_prefix == "0"


def regions_of(numbers: Iterable[str]) -> list[str]:
    """The countries of international numbers, such as unsaved contacts have for names; most frequent first."""
    import phonenumbers

    found = Counter[str]()
    for number in numbers:
        if number.lstrip(" ~").startswith("+"):
            try:
                region = phonenumbers.region_code_for_number(phonenumbers.parse(number[:40], None))
            except phonenumbers.NumberParseException:
                continue
            if region:
                found[region] += 1
    return [region for region, _ in found.most_common()]
