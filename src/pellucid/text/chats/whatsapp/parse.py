"""WhatsApp's exported .txt becomes messages: one frame a file, and what does not begin with it is text."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.errors import InputError
from pellucid.text.chats.record import Message, Unparsed
from pellucid.text.chats.whatsapp.dates import ORDERS, decide
from pellucid.text.chats.whatsapp.frame import Frame, Shape, read_frame
from pellucid.text.chats.whatsapp.kinds import Body, is_known_notice, kinds_of, split_edited, split_forwarded
from pellucid.text.chats.whatsapp.marks import MOST_HEAD, is_own_word, plain, raw_offset, without_marks
from pellucid.text.chats.whatsapp.names import Names, candidates
from pellucid.text.chats.whatsapp.periods import FILLERS
from pellucid.text.chats.whatsapp.quotes import Entry, quoted
from pellucid.text.wording import plural

MOST_RAW = 2 * MOST_HEAD  # characters of a line, marks and all, that are looked at for its frame and author
RARE = 0.05  # of the lines with a frame: fewer are of another shape because they are inside messages
MOST_BEFORE = 10  # lines of a file without a frame, where one of its message is cut
FIRST = 4  # lines of a file among which notices stand even where their marks are gone
MOSTLY = 0.9  # of the lines: notices have no author behind the half of the day
MOST_HALVES = 4  # of a day that have words of their own in one language
HALF_AND_AUTHOR = re.compile(r"([^\s:][^:]{0,31}): [^\s:][^:]{0,80}:(?: |$)")
EXAMPLE = 60  # characters of a line that a note shows


@dataclass(frozen=True)
class Parsed:
    """What an export holds.

    Attributes:
        messages: in the order of the file.
        unparsed: the lines before the first message.
        notes: sentences for the person: how dates were read, which lines look like messages and are text.
    """

    messages: tuple[Message, ...]
    unparsed: tuple[Unparsed, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Line:
    """A line that begins with a frame."""

    index: int
    frame: Frame
    head: str  # without marks, no longer than MOST_RAW
    time: datetime.datetime | None = None
    author: str | None = None
    body_at: int = 0  # in the head

    @property
    def text(self) -> str:
        """What follows the frame."""
        return self.head[self.frame.size :]


def parse(
    lines: Iterable[str] | str, conversation: str, date_order: str | None = None, source: str = "the chat"
) -> Parsed:
    """Reads the text of an export.

    Args:
        lines: the text, or its lines with or without their ends; best with the CR LF that it has.
        conversation: the name of the chat, for its messages.
        date_order: dmy, mdy or ymd, if the person says.
        source: what to call the file.

    Raises:
        InputError: no line begins as WhatsApp's do; nothing in it tells day from month; a calendar or words for
            the halves of the day that are not known.
    """
    if date_order is not None and date_order not in ORDERS:
        raise InputError(f"--date-order {date_order} is none of {', '.join(ORDERS)}: give one of these")
    rows = _rows(lines)
    framed = _framed(rows)
    if not framed:
        raise InputError(
            f"{source} has no line that begins with a date, a time and a name: give a chat as WhatsApp exports it"
        )
    chosen, notes = _chosen(framed, source)
    notes += _date_times(chosen, date_order, source)
    chosen = [line for line in chosen if line.time is not None or line.frame.named is not None]
    _name(chosen, conversation)
    inside = quoted(_entries(chosen, rows))
    heads = [line for position, line in enumerate(chosen) if position not in inside]
    messages = _messages(heads, rows, conversation)
    first = heads[0].index if heads else len(rows)
    begun = {line.index for line in heads}
    notes += _note_inside([line for line in framed if line.index > first and line.index not in begun], rows)
    unparsed = [
        Unparsed(source, index + 1, without_marks(rows[index]).rstrip("\r"))
        for index in range(first)
        if without_marks(rows[index]).strip()
    ]
    return Parsed(tuple(messages), tuple(unparsed), tuple(f"{source}: {note}" for note in notes))


def recognises(head: str) -> bool:
    """Whether `head`, the first lines of a file, are of a WhatsApp export."""
    rows = [row for row in _rows(head[:100_000])[:40] if row.strip()]
    framed = _framed(rows[:20])
    if not framed or framed[0].index > MOST_BEFORE:
        return False
    shape = framed[0].frame.shape
    # Signal's, as signal-cli's friends write it
    if shape.bracket and not shape.seconds and shape.separators == "--":
        return False
    return any(candidates(line.text) or is_known_notice(line.text) for line in framed)


def _rows(lines: Iterable[str] | str) -> list[str]:
    """The lines without their LF; empty ones at the end are of the file, not of its last message."""
    if isinstance(lines, str):
        rows = lines.split("\n" if "\n" in lines else "\r")
    else:
        rows = [line.removesuffix("\n") for line in lines]
    while rows and not rows[-1].strip("\r\ufeff"):
        rows.pop()
    return rows


def _framed(rows: Sequence[str]) -> list[_Line]:
    found = []
    for index, row in enumerate(rows):
        head = without_marks(row[:MOST_RAW])
        frame = read_frame(plain(head[:MOST_HEAD]))
        if frame is not None:
            found.append(_Line(index, frame, head.rstrip("\r")))
    return found


def _chosen(framed: Sequence[_Line], source: str) -> tuple[list[_Line], list[str]]:
    """The lines of the one shape that the file has, and notes: that of its first frame, unless it is rare.

    Lines whose time has another form are taken too, if they are many and of the same people: an editor's work.

    Raises:
        InputError: the shapes differ in words that may name the halves of a day.
    """
    counts = Counter(line.frame.shape for line in framed)
    first, usual = framed[0].frame.shape, counts.most_common(1)[0][0]
    shape = first if counts[first] >= RARE * counts[usual] else usual
    names = {
        candidates(line.text)[0] for line in framed if line.frame.shape == shape and candidates(line.text)
    }
    kin = {
        other
        for other, count in counts.items()
        if other != shape and _kin(other) == _kin(shape) and count > RARE * counts[shape]
    }
    _refuse_unknown_halves(framed, shape, kin, source)
    alike = {other for other in kin if _of(names, [line for line in framed if line.frame.shape == other])}
    notes = [f"lines begin in {len(alike) + 1} forms, as of several files: check the times"] if alike else []
    return [line for line in framed if line.frame.shape == shape or line.frame.shape in alike], notes


def _refuse_unknown_halves(framed: Sequence[_Line], shape: Shape, kin: set[Shape], source: str) -> None:
    """Raises InputError where words beside the times may name halves of the day: no hour is above twelve, or 0."""
    shapes = {shape, *kin} if shape.halves or shape.words not in FILLERS else {shape}
    lines = [line for line in framed if line.frame.shape in shapes]
    unknown = {other.words for other in shapes} - FILLERS
    if shape.end == " " and not shape.halves:
        unknown |= _halves_before_authors(lines)
    hours = [line.frame.time[0] for line in lines if not line.frame.period]
    if unknown and all(0 < hour <= 12 for hour in hours):
        raise InputError(
            f"{source} has words beside its times that are not known to mean morning or afternoon, "
            f"{' and '.join(repr(word) for word in sorted(unknown))}: set the telephone to a clock of 24 hours, "
            "and export the chat again"
        )


def _halves_before_authors(lines: Sequence[_Line]) -> set[str]:
    """The few words before almost all authors: `saaku` where a line is `13.7.21 8:47:47 saaku: Anna: hi`."""
    halves = [half[1] for line in lines if (half := HALF_AND_AUTHOR.match(line.text))]
    found = set(halves)
    return found if len(halves) >= MOSTLY * len(lines) and len(found) <= MOST_HALVES else set()


def _kin(shape: Shape) -> Shape:
    """What a shape has in common with those that differ from it in the form of the time only."""
    return shape._replace(words="", halves="", comma=False, seconds=False, of_time="")


def _of(names: set[str], lines: Sequence[_Line]) -> bool:
    """Whether half of the lines or more are of these people."""
    known = sum(bool(found := candidates(line.text)) and found[0] in names for line in lines)
    return 2 * known >= len(lines)


def _date_times(lines: Sequence[_Line], date_order: str | None, source: str) -> tuple[str, ...]:
    """Sets the times; gives notes on how dates were read."""
    numeric = [line for line in lines if line.frame.named is None]
    dates = decide([line.frame for line in numeric], [line.index + 1 for line in numeric], date_order, source)
    known = dict[tuple[str, str, str], datetime.date | None]()
    previous: datetime.date | None = None
    n_without = 0
    for line in lines:
        if line.frame.named is None:
            if line.frame.date not in known:
                known[line.frame.date] = dates.read(line.frame.date)
            date = known[line.frame.date]
        else:
            date = _named_date(line.frame.named, previous)
            n_without += date is None
        previous = date or previous
        line.time = datetime.datetime.combine(date, datetime.time(*line.frame.time)) if date else None
    return (*dates.notes, *_without_year(n_without))


def _named_date(named: tuple[int, int, int | None], previous: datetime.date | None) -> datetime.date | None:
    """The date; without a year that of the message above, or the next where the months begin again."""
    day, month, year = named
    if year is None and previous is not None:
        year = previous.year + (month < previous.month - 6)
    try:
        return datetime.date(year, month, day) if year else None
    except ValueError:
        return None


def _without_year(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{plural(count, 'message has a date', 'messages have dates')} without a year, and so no time",)


def _name(lines: Sequence[_Line], conversation: str) -> None:
    names = Names((line.text for line in lines), conversation)
    for line in lines:
        line.author, at = names.split(line.text)
        line.body_at = line.frame.size + at


def _entries(lines: Sequence[_Line], rows: Sequence[str]) -> list[Entry]:
    ends = [row.endswith("\r") for row in rows[:-1]]
    begun = {line.index for line in lines}
    tells = any(ends) and not all(ends) and all(index + 1 in begun for index, end in enumerate(ends) if end)
    return [
        Entry(
            line.time,
            line.author,
            is_bare=line.author is None and line.frame.shape.bracket and not _is_marked(line, rows),
            quotes=(frame := read_frame(plain(line.head[line.body_at :][:MOST_HEAD]))) is not None
            and frame.shape == line.frame.shape,
            is_notice=is_known_notice(line.head[line.body_at :]) if _may_be_notice(line, rows) else False,
            after_return=ends[line.index - 1] if tells and line.index else None,
        )
        for line in lines
    ]


def _is_marked(line: _Line, rows: Sequence[str]) -> bool:
    return is_own_word(rows[line.index][raw_offset(rows[line.index][:MOST_RAW], line.body_at) :][:MOST_HEAD])


def _may_be_notice(line: _Line, rows: Sequence[str]) -> bool:
    return line.author is None or line.index < FIRST


def _messages(lines: Sequence[_Line], rows: Sequence[str], conversation: str) -> list[Message]:
    bodies, texts, forwarded = list[Body](), list[str](), list[bool]()
    for position, line in enumerate(lines):
        end = lines[position + 1].index if position + 1 < len(lines) else len(rows)
        raw, was_forwarded = split_forwarded(split_edited(_raw_body(line, rows, end)))
        bodies.append(Body(raw, line.author, is_first=line.index < FIRST))
        texts.append(without_marks(raw))
        forwarded.append(was_forwarded)
    messages = []
    for line, text, kind, was_forwarded in zip(lines, texts, kinds_of(bodies), forwarded, strict=True):
        author = None if kind == "system" else line.author
        shown = "forwarded" if was_forwarded and kind == "text" else kind
        messages.append(Message(conversation, line.time, author, author, text, shown))
    return messages


def _raw_body(line: _Line, rows: Sequence[str], end: int) -> str:
    row = rows[line.index]
    first = row[raw_offset(row[:MOST_RAW], line.body_at) :]
    return "\n".join(part.removesuffix("\r") for part in (first, *rows[line.index + 1 : end]))


def _note_inside(lines: Sequence[_Line], rows: Sequence[str]) -> list[str]:
    if not lines:
        return []
    number, are = lines[0].index + 1, "is" if len(lines) == 1 else "are"
    example = without_marks(rows[lines[0].index][:EXAMPLE]).rstrip("\r")
    return [
        f"{plural(len(lines), 'line inside a message looks', 'lines inside messages look')} like the beginning of a "
        f"message and {are} kept as text, the first in line {number}: {example}"
    ]
