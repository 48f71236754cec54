"""What stands before a message: `[13/11/2025, 12:25:55 PM] `, `13.6.2018 klo 21.25 - ` and their like.

A frame is read without knowing its language: a date of three numbers, a time, and few words between and behind.
Its shape is what all the lines of one export have in common, for an export has one locale.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pellucid.text.chats.whatsapp.months import MONTHS
from pellucid.text.chats.whatsapp.periods import FILLERS, Period, hour_of_day, read_period

YEAR = "(?:[RH]|令和|平成)?[0-9]{1,4}"
SEPARATOR = "(?: ?[./-] ?| ?[年년月월] ?)"
NUMERIC = f"(?P<a>{YEAR})(?P<s1>{SEPARATOR})(?P<b>[0-9]{{1,4}})(?P<s2>{SEPARATOR})(?P<c>{YEAR})"
WORD = r"[^\W\d_]{3,12}"
NAMED = (
    rf"(?:{WORD}\.?,? )?(?:(?P<d1>[0-9]{{1,2}})\.?[ -](?:de )?(?P<m1>{WORD})\.?(?:,?[ -](?:de )?(?P<y1>[0-9]{{4}}))?"
    rf"|(?P<m2>{WORD})\.? (?P<d2>[0-9]{{1,2}})(?:, ?(?P<y2>[0-9]{{4}}))?)"
)
TIME = (
    r"(?P<h>[0-9]{1,2})(?P<ts>[:.]| ?h ?| ?[時时点點시] ?)(?P<m>[0-9]{2})"
    r"(?:(?:[:.]| ?min ?| ?[分분] ?)(?P<s>[0-9]{2}))?(?: ?[分분秒초]| min\b| s\b)?"
)
BETWEEN = r"(?P<between>[^0-9\[\]]{1,32}?)"
BEHIND = r"(?P<behind>[^0-9\[\]]{0,32}?)"
BRACKET_END = r"(?P<end>\])(?: ?-(?= ))? ?"
BARE_END = r"(?: (?P<end>-)(?: |$)|(?P<colon>:)(?: |$))"
SPACE_END = r"(?P<end> )(?=[^\s:][^:]{0,80}: )"


def _patterns(date: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(opening + inside + BEHIND + ending)
        for opening, ending in ((r"\[ ?", BRACKET_END), ("", BARE_END), ("", SPACE_END))
        for inside in (date + BETWEEN + TIME, TIME + BETWEEN + date)
    )


PATTERNS = (*_patterns(NUMERIC), *_patterns(NAMED))
ASIAN = re.compile("[\u3040-\u9fff\uac00-\ud7af]")
LIKELY = re.compile(r"\[? ?(?:[0-9]|令和|平成|[RH][0-9]|[^\W\d_]{3,12}\.?,? [0-9])")


class Shape(NamedTuple):
    """What the frames of one export share: `13/6/18, 9:25 p.m. - ` and `1/12/18, 11:05 a.m. - ` are of one shape."""

    bracket: bool
    time_first: bool
    separators: str  # of the date; "name" if the month has a name
    year: int  # the position of a number of more than two digits, or of an era; -1 if there is none
    end: str
    words: str  # between date and time and behind them, but for those that name half of a day
    comma: bool
    of_time: str
    seconds: bool
    halves: str  # of the day: "" if they have no words, "asian" if those are Chinese, Japanese or Korean


class Frame(NamedTuple):
    """A frame as read: the numbers of its date in the order they stand in, or day, month, year by name.

    `size` counts the characters up to the author, in a line without marks.
    """

    date: tuple[str, str, str]
    named: tuple[int, int, int | None] | None
    time: tuple[int, int, int]
    period: Period | None
    shape: Shape
    size: int


def read_frame(head: str) -> Frame | None:
    """The frame that `head`, a plain beginning of a line (marks.py), begins with, or None."""
    if LIKELY.match(head) is None:
        return None
    for pattern in PATTERNS:
        match = pattern.match(head)
        frame = _frame(match) if match is not None else None
        if frame is not None:
            return frame
    return None


def _frame(match: re.Match[str]) -> Frame | None:
    found = match.groupdict()
    hour, minute, second = int(found["h"]), int(found["m"]), int(found["s"] or 0)
    named = _named(found)
    if hour > 23 or minute > 59 or second > 59 or ("a" not in found and named is None):
        return None
    ending = found["end"] or ":"
    may_be_author = ending in " :"  # what stands behind the time
    if may_be_author and read_period(found["behind"] or "", small=False)[1] not in FILLERS:
        return None
    words = f"{found['between']} {found['behind']}"
    period, others = read_period(words, small=not may_be_author)
    date = ("", "", "") if named else (found["a"], found["b"], found["c"])
    shape = Shape(
        bracket=match[0][0] == "[",
        time_first=match.start("h") < match.start("a" if named is None else "d1" if found["d1"] else "d2"),
        separators="name" if named else _separators(found),
        year=-1
        if named
        else next((place for place, part in enumerate(date) if len(part) > 2 or not part.isdigit()), -1),
        end=ending,
        words=others.lstrip("日일 ").strip(),
        comma="," in words,
        of_time=found["ts"].strip(),
        seconds=found["s"] is not None,
        halves="" if period is None else "asian" if ASIAN.search(words) else "words",
    )
    return Frame(date, named, (hour_of_day(hour, period), minute, second), period, shape, match.end())


def _separators(found: dict[str, str | None]) -> str:
    """The two of a date; and the point behind the date, where points and spaces separate: `18. 6. 3.`."""
    separators, between = f"{found['s1']}{found['s2']}", found["between"] or ""
    return f"{separators}." if separators == ". . " and between.startswith(".") else separators


def _named(found: dict[str, str | None]) -> tuple[int, int, int | None] | None:
    """Day, month and year of a date whose month has a name."""
    for day, month, year in (("d1", "m1", "y1"), ("d2", "m2", "y2")):
        if found.get(day):
            number = MONTHS.get((found[month] or "").casefold())
            year_number = int(found[year] or 0) or None
            return (int(found[day] or 0), number, year_number) if number else None
    return None
