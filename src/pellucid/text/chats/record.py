"""The neutral form of a chat: what every export becomes (docs/chat-format.md)."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Literal

Kind = Literal["text", "forwarded", "media", "deleted", "call", "system"]
NO_CHAT = "text"  # as a --format: no chat, whatever it looks like


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        conversation: the chat it belongs to, by its name or file.
        time: as the export has it: without a zone where it tells none, None where it tells no time.
        author_id: what tells two people of one name apart; where an export has no ids, the name.
        author: the name as shown; None of a system message.
        text: the body, its line breaks kept; of media the placeholder too, with any caption.
        kind: "system" is what the program itself said: someone joined, a subject was changed.
    """

    conversation: str
    time: datetime | None
    author_id: str | None
    author: str | None
    text: str
    kind: Kind = "text"


@dataclasses.dataclass(frozen=True, slots=True)
class Unparsed:
    """A line, or an element, that could not be read; `line` counts from 1, or is None where there are no lines."""

    source: str
    line: int | None
    text: str


@dataclasses.dataclass(frozen=True)
class Chats:
    """What an export holds.

    Attributes:
        format: a name of FORMATS (exports.py).
        messages: in the order of the export.
        unparsed: what is not in `messages`, all of it.
        notes: sentences for the person, say how a date was read.
    """

    format: str
    messages: tuple[Message, ...]
    unparsed: tuple[Unparsed, ...] = ()
    notes: tuple[str, ...] = ()
