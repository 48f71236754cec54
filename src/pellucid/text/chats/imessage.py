"""iMessage: the text that imessage-exporter writes, a file a conversation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pellucid.text.chats.collect import Collector, Options
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "imessage"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STAMP = r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4})\s+(\d{1,2}):(\d\d):(\d\d) ([AP]M)"
HEADER = re.compile(rf"( *){STAMP}(?: \(Read by .* after .*\))?\s*")
LONGEST_HEADER = 300
NOTICE = re.compile(rf"{STAMP} (\S.*)")
EDITED = re.compile(r"Edited .{1,60}? later: (.*)")
REACTION_TITLES = ("Reactions:", "Tapbacks:")
REACTION = re.compile(r".{1,60} by .+|Sticker from .+")
EFFECT = re.compile(r"Sent with [A-Z][A-Za-z ]{2,20}")
ANSWER = "This message responded to an earlier message."
UNSENT = re.compile(r".{1,60} (?:deleted a message\.|unsent (?:a|this) message(?: part)?\b.*)")
ATTACHMENT = re.compile(
    r"Attachment missing!|\S.*/Attachments?/.*|attachments/.*|(?:~|/Users|/var)/\S.*\.\w{2,5}", re.IGNORECASE
)


@dataclass
class _Block:
    """One message: its header's line number, time, author, and the lines below."""

    line: int
    time: datetime
    author: str
    lines: list[str]
    is_nested: bool  # an answer, shown below the message that it answers


def recognises(file: File) -> bool:
    lines = [line for line in file.head.split("\n") if line.strip()][:2]
    first = (HEADER.fullmatch(lines[0][:LONGEST_HEADER]) or NOTICE.fullmatch(lines[0])) if lines else None
    return file.shape == "text" and first is not None


def read(files: Sequence[File], options: Options) -> Chats:
    """Answers stand twice in the text, below what they answer and in their own place: they are taken once."""
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        conversation = found.conversation(file.stem, file.path)
        blocks = list(_blocks(file, found, conversation))
        own = {(item.time, item.author, _body(item.lines)) for item in blocks if isinstance(item, _Block)
               and not item.is_nested}  # fmt: skip
        for item in blocks:
            if not isinstance(item, _Block):
                found.system(conversation, *item)
                continue
            kind, text = _body(item.lines)
            if not item.is_nested or (item.time, item.author, (kind, text)) not in own:
                found.add(
                    *(conversation, item.time, item.author, item.author, text, kind),
                    source=file.name,
                    line=item.line,
                )
    return found.done()


def _blocks(file: File, found: Collector, conversation: str) -> Iterator[_Block | tuple[datetime, str]]:
    """The messages and the notices (`May 17, 2022  5:29:42 PM Anna renamed the conversation to …`), in order."""
    lines, block, place, after_blank = file.text.split("\n"), None, 0, True
    while place < len(lines):
        line = lines[place]
        header = HEADER.fullmatch(line) if len(line) <= LONGEST_HEADER else None
        indent = len(header[1]) if header else 0
        nested = bool(block) and indent > 0
        time = _time(header.groups()[1:]) if header else None
        notice = NOTICE.fullmatch(line) if after_blank else None
        notice_time = _time(notice.groups()[:7]) if notice else None
        if (
            header
            and time
            and (after_blank or nested)
            and place + 1 < len(lines)
            and lines[place + 1].strip()
        ):
            if block:
                yield block
            block = _Block(place + 1, time, lines[place + 1][indent:].strip(), [], indent > 0)
            place += 1
        elif notice and notice_time and not header:
            if block:
                yield block
            block = None
            yield notice_time, notice[8]
        elif block:
            block.lines.append(line.removeprefix("    ") if block.is_nested else line)
        elif line.strip():
            found.fail(file.name, line, place + 1)
        after_blank = not line.strip()
        place += 1
    if block:
        yield block


def _time(parts: Sequence[str]) -> datetime | None:
    month, day, year, hour, minute, second, half = parts
    try:
        hours = int(hour) % 12 + (12 if half == "PM" else 0)
        return datetime(int(year), MONTHS.index(month) + 1, int(day), hours, int(minute), int(second))
    except ValueError:
        return None


def _body(lines: Sequence[str]) -> tuple[Kind, str]:
    """The words, without what the exporter tells of them: reactions, effects, that it is an answer."""
    kept, place = list[str](), 0
    while place < len(lines):
        if (
            lines[place] in REACTION_TITLES
            and place + 1 < len(lines)
            and REACTION.fullmatch(lines[place + 1])
        ):
            place += 1
            while place < len(lines) and REACTION.fullmatch(lines[place]):
                place += 1
            place += place < len(lines) and not lines[place].strip()
        else:
            kept.append(lines[place])
            place += 1
    while kept and (
        not kept[-1].strip() or kept[-1] == ANSWER or (len(kept) > 1 and EFFECT.fullmatch(kept[-1]))
    ):
        kept.pop()
    kept = _edited(kept)
    text = "\n".join(kept)
    words = [line for line in kept if line.strip()]
    if len(words) == 1 and UNSENT.fullmatch(words[0]):
        return "deleted", text
    return ("media" if any(ATTACHMENT.fullmatch(line) for line in words) else "text"), text


def _edited(lines: list[str]) -> list[str]:
    """Of an edited message the last text: the exporter gives all, the first behind its time."""
    if not lines or not NOTICE.fullmatch(lines[0]):
        return lines
    edits = [number for number, line in enumerate(lines) if EDITED.fullmatch(line)]
    if not edits:
        return lines
    last = EDITED.fullmatch(lines[edits[-1]])
    return [last[1] if last else "", *lines[edits[-1] + 1 :]]
