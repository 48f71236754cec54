"""What the readers of the formats share: where messages are gathered, and how values of JSON are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pellucid.text.chats.files import File, shown
from pellucid.text.chats.record import Chats, Kind, Message, Unparsed
from pellucid.text.decoding import without_surrogates
from pellucid.text.wording import plural

LONGEST_TEXT = 1 << 20  # characters of one message
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Options:
    """What a person may decide about reading; `date_order` is "dmy", "mdy", "ymd", or None to find out."""

    date_order: str | None = None


@dataclass
class Collector:
    """The messages of an export, what was not read of it, and what there is to say."""

    format: str
    messages: list[Message] = field(default_factory=list)
    unparsed: list[Unparsed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _n_timeless: int = 0
    _names: dict[str, dict[object, str]] = field(default_factory=dict)

    def add(
        self,
        conversation: str,
        time: datetime | None,
        author_id: str | None,
        author: str | None,
        text: str,
        kind: Kind = "text",
        *,
        source: str = "",
        line: int | None = None,
    ) -> None:
        """One message; a text beyond bounds is not read as one."""
        if len(text) > LONGEST_TEXT:
            self.fail(source or conversation, text, line)
            return
        text = text.replace("\r\n", "\n")  # in strings of JSON, as some programs write them
        conversation, text = without_surrogates(conversation), without_surrogates(text)
        author = None if author is None else without_surrogates(author)
        author_id = author if author_id is None else without_surrogates(author_id)
        self.messages.append(Message(conversation, time, author_id, author, text, kind))

    def system(self, conversation: str, time: datetime | None, text: str) -> None:
        """What the program itself said."""
        self.add(conversation, time, None, None, text, "system")

    def fail(self, source: str, element: Any, line: int | None = None) -> None:
        """An element that could not be read."""
        self.unparsed.append(Unparsed(source, line, without_surrogates(shown(element))))

    def begin(self, file: File) -> None:
        """Takes over what was said of a file when it was decoded."""
        self.unparsed += file.unparsed
        self.notes += file.notes

    def time_or_none(self, time: datetime | None) -> datetime | None:
        """Counts the messages whose time could not be read."""
        self._n_timeless += time is None
        return time

    def conversation(self, name: str, identity: object) -> str:
        """`name`, made different where another conversation already has it."""
        known = self._names.setdefault(name, {})
        if identity not in known:
            known[identity] = f"{name} ({len(known) + 1})" if known else name
        return known[identity]

    def done(self) -> Chats:
        if self._n_timeless:
            without = plural(self._n_timeless, "message has", "messages have")
            self.notes.append(f"{without} no time that can be read, and the place of the one before")
        return Chats(self.format, tuple(self.messages), tuple(self.unparsed), tuple(self.notes))


def string(value: Any, default: str = "") -> str:
    """A string as it is, a number as one, and nothing else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else default


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def joined(lines: Iterable[str]) -> str:
    """The lines that say something."""
    return "\n".join(line for line in lines if line)


def iso_time(value: Any) -> datetime | None:
    """A time in ISO 8601; None if it is none."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def unix_time(value: Any, per_second: int = 1) -> datetime | None:
    """A time in UTC from seconds (or other parts of one) since 1970, a number or digits; None if it is none."""
    try:
        whole, _, part = str(value).partition(".")  # as digits: floats would lose microseconds
        if isinstance(value, bool) or not whole.isdecimal() or (part and not part.isdecimal()):
            return None
        unit = 1_000_000 // per_second
        part = int(part[:6].ljust(6, "0")) // per_second if part else 0
        return EPOCH + timedelta(microseconds=int(whole) * unit + part)
    except (OverflowError, ValueError):
        return None
