"""Lines inside messages that look like messages: a piece of a chat that someone pasted into another.

They are told by time and by name. Whatever is doubtful stays a message, and what is taken is reported.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

LATE = datetime.timedelta(hours=1)  # messages arrive late; a clock is put back by so much in autumn
VERY_LATE = datetime.timedelta(days=1)
ENOUGH = 10  # entries to trust line ends
MOST_AFTER_RETURN = 0.9
MOST_QUOTED = 500  # lines
MOST_AHEAD = 50


@dataclass(slots=True)
class Entry:
    """A line that begins with the frame of its file.

    Attributes:
        is_bare: whether it has neither author nor mark in a chat of iOS, whose notices have one of the two.
        quotes: whether its text begins with a frame of its own, as text that was pasted does.
        is_notice: of WhatsApp itself, in words that are known.
        after_return: whether the line above ended with CR LF, None where line ends do not tell messages apart.
    """

    time: datetime.datetime | None
    author: str | None
    is_bare: bool = False
    quotes: bool = False
    is_notice: bool = False
    after_return: bool | None = None


def quoted(entries: Sequence[Entry]) -> set[int]:
    """The positions of the entries that are part of the message above them."""
    return _by_line_end(entries) or _pasted(entries) | _strangers(entries)


def _by_line_end(entries: Sequence[Entry]) -> set[int]:
    """On iOS messages end with CR LF, and lines within them with LF: entries after LF are quoted."""
    marked = [entry.after_return for entry in entries[1:] if entry.after_return is not None]
    # an editor may have changed a few
    if len(marked) < ENOUGH or sum(marked) < MOST_AFTER_RETURN * len(marked):
        return set()
    return {index for index, entry in enumerate(entries) if index and entry.after_return is False}


def _pasted(entries: Sequence[Entry]) -> set[int]:
    """Runs behind a message that itself begins with a frame: they are older than it."""
    found, index = set[int](), 0
    while index < len(entries):
        outer, following = entries[index], index + 1
        while (
            outer.quotes
            and following < len(entries)
            and following - index <= MOST_QUOTED
            and _is_before(entries[following].time, outer.time)
        ):
            found.add(following)
            following += 1
        index = following
    return found


def _strangers(entries: Sequence[Entry]) -> set[int]:
    """Runs out of the order of time, after which it goes on, of people who are nowhere else."""
    runs = _runs(entries)
    inside = {index for run in runs for index in run}
    people = {entry.author for index, entry in enumerate(entries) if index not in inside}
    found = set[int]()
    for run in runs:
        before = entries[run[0] - 1]
        is_strange = all(
            entries[index].author not in people and _is_older(entries, run, index)
            if entries[index].author is not None
            else entries[index].is_bare or _is_far(entries, run, index)
            for index in run
        )
        if len(run) == 1:  # one line of someone who says nothing else may have come late
            is_strange = is_strange and _is_far(entries, run, run[0])
        if is_strange and before.author is not None and not before.is_notice:
            found.update(run)
    return found


def _runs(entries: Sequence[Entry]) -> list[range]:
    """Runs of entries earlier than the one above them, or later than the one below, by more than LATE."""
    found, index = list[range](), 1
    while index < len(entries):
        end = _end_of_run(entries, index)
        if end is not None:
            found.append(range(index, end))
            index = end
        index += 1
    return found


def _end_of_run(entries: Sequence[Entry], start: int) -> int | None:
    """Where the run that begins at `start` ends, if one begins there."""
    before, first = entries[start - 1].time, entries[start].time
    if before is None or first is None or entries[start].is_notice:
        return None
    if first < before - LATE:
        for end in range(start + 1, min(len(entries), start + MOST_QUOTED)):
            time = entries[end].time
            if time is None or entries[end].is_notice:
                return None
            if time >= before:
                return end
        return None
    if first <= before + LATE:
        return None
    end = start + 1
    while end < min(len(entries), start + MOST_AHEAD):
        after = entries[end].time
        if after is None or entries[end].is_notice:
            return None
        if before <= after < first - LATE:
            return end
        if after < before or (
            entries[end].author is not None and entries[end].author == entries[start - 1].author
        ):
            return None
        end += 1
    return None


def _is_older(entries: Sequence[Entry], run: range, index: int) -> bool:
    """What is pasted was written before, though a plan may begin with dates to come."""
    return _is_before(entries[index].time, entries[run[0] - 1].time)


def _is_far(entries: Sequence[Entry], run: range, index: int) -> bool:
    time, before, after = entries[index].time, entries[run[0] - 1].time, entries[run[-1] + 1].time
    if time is None or before is None or after is None or entries[index].is_notice:
        return False
    return time < before - VERY_LATE or time > after + VERY_LATE


def _is_before(time: datetime.datetime | None, other: datetime.datetime | None) -> bool:
    return time is not None and other is not None and time < other
