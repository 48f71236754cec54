"""The order of day, month and year: decided once for a file, and asked for where nothing in it decides."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.errors import InputError
from pellucid.text.chats.whatsapp.calendars import FIRST_YEAR, common_year, from_persian
from pellucid.text.chats.whatsapp.frame import Frame
from pellucid.text.wording import plural

ORDERS = ("dmy", "mdy", "ymd")
WORDS = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}
MOST_IMPOSSIBLE = 0.02  # of the dates, in the order that is taken: lines of a message can look like a frame
LATEST_YEAR = 2100
STEP_BACK = 1  # days: messages arrive late, and a step further back in time tells of a wrong order
NEAR, YEAR_APART = 60, 300  # days
FEW_DATES = 4  # distinct ones: fewer do not tell a year in the first place for certain
FEWER = 4  # times fewer steps back than in the other orders, if there are any in the best
ASIAN = "년年"
KOREAN = ". . ."  # of 18. 6. 3.; Croats of Bosnia write so, too
DAY_FIRST = ("klo", "kl", "г", "à", "um", "um uhr")  # words of locales that write the day first


@dataclass(frozen=True)
class Reading:
    """One way to read a date: `order` as `--date-order` takes it, what it means in words, and the date so read."""

    order: str
    words: str
    date: str


class AmbiguousDates(InputError):
    """The dates of an export can be read in several ways; whoever asks may offer the `readings`.

    Args:
        place: which date of which file, as a sentence begins.
        readings: of that date, the likeliest first.
    """

    def __init__(self, place: str, readings: Sequence[Reading]) -> None:
        self.place, self.readings = place, tuple(readings)
        ways = " or ".join(f"{each.date} ({each.words}: --date-order {each.order})" for each in readings)
        super().__init__(f"{place} is {ways}; give the one that is right")


@dataclass(frozen=True)
class Dates:
    """How the dates of a file are read.

    Attributes:
        order: the positions of year, month and day among the three numbers.
        name: dmy, mdy or ymd; ydm and their like where a year stands first and a day second.
        notes: sentences that say why.
    """

    order: tuple[int, int, int]
    name: str
    today: datetime.date
    notes: tuple[str, ...] = ()

    def read(self, numbers: tuple[str, str, str]) -> datetime.date | None:
        """The date, or None if there is no such day, or none on which there was a WhatsApp."""
        return _date(numbers, self.order, self.today.year)


def decide(
    frames: Sequence[Frame],
    lines: Sequence[int],
    asked: str | None,
    source: str,
    today: datetime.date | None = None,
) -> Dates:
    """Decides how the dates of a file are read.

    In this order: `asked`; where the year's digits stand; a number above 12; which order lets time go on;
    which lies in the past; how the locale's other signs are used. Otherwise the person is asked.

    Args:
        frames: those of the file, in its order; none with the month by name.
        lines: the number of each one's line.
        asked: dmy, mdy or ymd, of the person.

    Raises:
        AmbiguousDates: several orders are possible.
        InputError: none is, or the one that was asked for is not.
    """
    today = today or datetime.date.today()
    if not frames:
        return Dates((2, 1, 0), "dmy", today)
    numbers = [frame.date for frame in frames]
    read = _read_all(numbers, today)
    fitting = _fitting(read)
    if asked is not None and "ymd" not in read:
        asked = {"dmy": "dym", "mdy": "myd"}.get(asked, asked) if "dym" in read else asked
    if asked is not None and not _year_stands_first(read):
        if asked not in fitting:
            raise InputError(_contradiction(read, fitting, numbers, lines, asked, source))
        return _decided(asked, today, numbers, ())
    if not fitting and any(common_year(part, today.year)[1] == "Islamic" for part in numbers[0]):
        raise InputError(
            f"{source} has dates of the Islamic calendar, as {_shown(numbers[0])} in line {lines[0]}, which are not "
            "read: set the telephone to the Gregorian calendar and export the chat again"
        )
    if not fitting:
        raise InputError(
            f"{source} has dates that no one order of day, month and year explains, "
            f"the first of them {_shown(numbers[0])} in line {lines[0]}: give one chat as WhatsApp exports it"
        )
    if len(fitting) == 1 or (_year_stands_first(read) and "ymd" in fitting):
        return _decided("ymd" if "ymd" in fitting else fitting[0], today, numbers, ())
    return _by_time(frames, numbers, {name: read[name] for name in fitting}, lines, source, today)


def _read_all(
    numbers: Sequence[tuple[str, str, str]], today: datetime.date
) -> dict[str, list[datetime.date | None]]:
    """The dates in every order that the digits of the years allow."""
    distinct = set(numbers)
    found = dict[str, list[datetime.date | None]]()
    for name in _names(numbers):
        dates = {date: _date(date, _positions(name), today.year) for date in distinct}
        found[name] = [dates[date] for date in numbers]
    return found


def _names(numbers: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    """The orders that are possible by where a year of more than two digits stands."""
    long = [sum(len(date[position]) > 2 for date in numbers) for position in range(3)]
    if any(not date[0].isdigit() for date in numbers):  # R4/3/18
        return "ymd", "ydm"
    if not any(long):
        return ORDERS
    place = long.index(max(long))
    return (("ymd", "ydm"), ("dym", "myd"), ("dmy", "mdy"))[place]


def _year_stands_first(read: Iterable[str]) -> bool:
    """Whether the digits say so: then only ymd and ydm were read."""
    return set(read) == {"ymd", "ydm"}


def _positions(name: str) -> tuple[int, int, int]:
    return name.index("y"), name.index("m"), name.index("d")


def _date(numbers: tuple[str, str, str], order: tuple[int, int, int], this_year: int) -> datetime.date | None:
    year_text, month_text, day_text = (numbers[position] for position in order)
    if not month_text.isdigit() or not day_text.isdigit() or len(month_text) > 2 or len(day_text) > 2:
        return None
    year, calendar = common_year(year_text, this_year)
    if calendar == "Islamic" or (calendar != "Persian" and not FIRST_YEAR <= year <= LATEST_YEAR):
        return None
    try:
        if calendar == "Persian":
            return from_persian(year, int(month_text), int(day_text))
        return datetime.date(year, int(month_text), int(day_text))
    except ValueError:
        return None


def _fitting(read: dict[str, list[datetime.date | None]]) -> list[str]:
    """The orders in which all dates exist, or all but a few that lines inside messages may hold."""
    impossible = {name: sum(date is None for date in dates) for name, dates in read.items()}
    fewest = min(impossible.values())
    if fewest > MOST_IMPOSSIBLE * len(next(iter(read.values()))):
        return []
    return [name for name, count in impossible.items() if count == fewest or count < FEWER * fewest]


def _contradiction(
    read: dict[str, list[datetime.date | None]],
    fitting: Sequence[str],
    numbers: Sequence[tuple[str, str, str]],
    lines: Sequence[int],
    asked: str,
    source: str,
) -> str:
    dates = read.get(asked, [])
    bad = next((index for index, date in enumerate(dates) if date is None), 0)
    flags = " or ".join(f"--date-order {name}" for name in fitting if name in ORDERS)
    return (
        f"{source} line {lines[bad]} has the date {_shown(numbers[bad])}, which cannot be {WORDS.get(asked, asked)}: "
        f"leave --date-order {asked} out" + (f", or give {flags}" if flags else "")
    )


def _by_time(
    frames: Sequence[Frame],
    numbers: Sequence[tuple[str, str, str]],
    read: dict[str, list[datetime.date | None]],
    lines: Sequence[int],
    source: str,
    today: datetime.date,
) -> Dates:
    """Decides between orders in which all the dates exist."""
    steps = {name: _steps_back(dates) for name, dates in read.items()}
    possible, read = read, _without_stray_years(read, steps, frames[0])
    if len({tuple(dates) for dates in read.values()}) == 1:  # 1/1/18, 2/2/18: any order is right
        only = next(iter(read))
        return _decided(only, today, numbers, _note_rare(only, possible, numbers))
    latest = today + datetime.timedelta(days=2)
    past = {name: dates for name, dates in read.items() if not any(date and date > latest for date in dates)}
    left = past or read
    best, *others = sorted(left, key=lambda name: steps[name])
    why = f"dates are read as {WORDS[best]}: in another order "
    if not others:
        return _decided(best, today, numbers, (why + "some lie in the future",))
    if steps[others[0]] > FEWER * steps[best]:
        return _decided(
            best, today, numbers, (why + f"time would go back {plural(steps[others[0]], 'time')}",)
        )
    left = {name: dates for name, dates in left.items() if steps[name] <= FEWER * steps[best]}
    usual = _usual_order(frames[0], list(left))
    if usual is not None:
        return _decided(
            usual, today, numbers, (f"dates are read as {WORDS[usual]}, as their signs are used",)
        )
    raise _question(left, numbers, lines, source)


def _note_rare(
    best: str,
    possible: dict[str, list[datetime.date | None]],
    numbers: Sequence[tuple[str, str, str]],
) -> tuple[str, ...]:
    """What few dates leave possible although hardly any locale writes so: said, not asked."""
    rare = possible.get("ymd", [None])
    if None in rare or rare == possible[best]:
        return ()
    return (
        f"dates are read as {WORDS[best]}; if {_shown(numbers[0])} is {_spelt(rare[0])}, "
        "give --date-order ymd",
    )


def _question(
    read: dict[str, list[datetime.date | None]],
    numbers: Sequence[tuple[str, str, str]],
    lines: Sequence[int],
    source: str,
) -> AmbiguousDates:
    unlike = next(
        index for index in range(len(numbers)) if len({dates[index] for dates in read.values()}) > 1
    )
    return AmbiguousDates(
        f"{source} does not tell the order of its dates: {_shown(numbers[unlike])} in line {lines[unlike]}",
        [Reading(name, WORDS[name], _spelt(dates[unlike])) for name, dates in read.items()],
    )


def _without_stray_years(
    read: dict[str, list[datetime.date | None]], steps: dict[str, int], frame: Frame
) -> dict[str, list[datetime.date | None]]:
    """The readings without that of a year of two digits in the first place, or without the others.

    That is rare: it counts where the halves of the day are Chinese or Japanese, where time tells, or where no
    other order is possible. Read so by mistake, the days of a month lie a year apart.
    """
    others = {name: dates for name, dates in read.items() if name != "ymd"}
    if not others or "ymd" not in read:
        return read
    if frame.shape.separators[0] in ASIAN or (frame.shape.separators == KOREAN and _is_asian(frame)):
        return {"ymd": read["ymd"]}
    apart, least = _usual_gap(read["ymd"]), min(_usual_gap(dates) for dates in others.values())
    if least > YEAR_APART and apart < NEAR:
        return read if len(set(read["ymd"])) < FEW_DATES else {"ymd": read["ymd"]}
    is_best = steps["ymd"] < min(steps[name] for name in others) and apart < YEAR_APART
    return read if is_best or _is_asian(frame) or frame.shape.separators == KOREAN else others


def _is_asian(frame: Frame) -> bool:
    return frame.shape.halves == "asian"


def _usual_gap(dates: Sequence[datetime.date | None]) -> float:
    """The median of the days between one date and the next; between near and apart if there is one date only."""
    days = list(dict.fromkeys(date.toordinal() for date in dates if date))
    gaps = sorted(abs(later - earlier) for earlier, later in itertools.pairwise(days))
    return gaps[len(gaps) // 2] if gaps else NEAR


def _steps_back(dates: Sequence[datetime.date | None]) -> int:
    """How often a date lies before the one above it, but for the first line, which WhatsApp may date later."""
    steps, previous = 0, None
    for date in dates[1:]:
        if date is not None:
            steps += previous is not None and (previous - date).days > STEP_BACK
            previous = date
    return steps


def _usual_order(frame: Frame, names: Sequence[str]) -> str | None:
    """The order in which the locales with such separators, digits or words write dates, if there is only one.

    No locale writes the month first with points, or with letters between (CLDR, short date patterns).
    """
    points = set(frame.shape.separators) <= {".", " "} and "ymd" not in names
    return "dmy" if "dmy" in names and (points or frame.shape.words in DAY_FIRST) else None


def _decided(
    name: str, today: datetime.date, numbers: Sequence[tuple[str, str, str]], notes: tuple[str, ...]
) -> Dates:
    year = numbers[0][name.index("y")]
    calendar = common_year(year, today.year)[1]
    if calendar:
        notes += (f"years are read by the {calendar} calendar: {year} is {_ours(numbers[0], name, today)}",)
    return Dates(_positions(name), name, today, notes)


def _ours(numbers: tuple[str, str, str], name: str, today: datetime.date) -> str:
    date = _date(numbers, _positions(name), today.year)
    return str(date.year) if date else "another"


def _shown(numbers: tuple[str, str, str]) -> str:
    return "/".join(numbers)


def _spelt(date: datetime.date | None) -> str:
    return f"{date.day} {date:%B} {date.year}" if date else "no date"
