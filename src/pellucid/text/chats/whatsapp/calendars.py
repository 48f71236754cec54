"""Years of other calendars become those of ours: Buddhist, Japanese, of the Republic of China; Persian dates."""

from __future__ import annotations

import datetime

FIRST_YEAR = 2009  # of WhatsApp
BUDDHIST = 543  # years ahead
MINGUO = 1911  # years behind
ERAS = {"R": 2018, "令和": 2018, "H": 1988, "平成": 1988}
PERSIAN = range(1387, 1429)  # 2008 to 2050
ISLAMIC = range(1429, 1500)  # 2008 to 2077
PERSIAN_EPOCH = datetime.date(622, 3, 21).toordinal()


def common_year(text: str, this_year: int) -> tuple[int, str | None]:
    """The year that `text` stands for, and the name of its calendar if that is not ours.

    Two digits are a year of this century, or of the Buddhist calendar if that alone lies in the past.
    """
    for era, before in ERAS.items():
        if text.startswith(era):
            return before + int(text.removeprefix(era)), "Japanese"
    year = int(text)
    if len(text) <= 2:
        buddhist = 2500 + year - BUDDHIST
        if 2000 + year > this_year + 1 and FIRST_YEAR <= buddhist <= this_year + 1:
            return buddhist, "Buddhist"
        return 2000 + year, None
    if len(text) == 3:
        return MINGUO + year, "Minguo"
    if 2500 <= year < 2700:
        return year - BUDDHIST, "Buddhist"
    return year, "Persian" if year in PERSIAN else "Islamic" if year in ISLAMIC else None


def from_persian(year: int, month: int, day: int) -> datetime.date:
    """The date of a day of the Persian (Solar Hijri) calendar, by its cycle of 33 years with 8 leap years.

    Exact from 1799 to 2256. Raises ValueError if there is no such day.
    """
    length = 31 if month <= 6 else 30 if month <= 11 or _is_leap(year) else 29
    if not 1 <= month <= 12 or not 1 <= day <= length:
        raise ValueError(f"{year}/{month}/{day} is no day of the Persian calendar")
    leaps = sum(_is_leap(earlier) for earlier in range(1, 34)) * ((year - 1) // 33)
    leaps += sum(_is_leap(earlier) for earlier in range(1, (year - 1) % 33 + 1))
    before = 31 * min(month - 1, 6) + 30 * max(month - 7, 0)
    return datetime.date.fromordinal(PERSIAN_EPOCH + 365 * (year - 1) + leaps + before + day - 1)


def _is_leap(year: int) -> bool:
    return (25 * year + 11) % 33 < 8
