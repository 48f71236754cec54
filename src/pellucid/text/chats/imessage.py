"""iMessage: the text that imessage-exporter writes, a file a conversation."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pellucid.text.chats.collect import Collector, Options
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "imessage"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STAMP = r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4})\s+(\d{1,2}):(\d\d):(\d\d) ([AP]M)"
HEADER = re.compile(rf"( *){STAMP}(?: \(Read by .* after .*\))?\s*")
LONGEST_HEADER = 300
BACKWARDS = timedelta(hours=2)  # that a clock may be put back, and a person travel
MOST_AT_ONCE = 50  # messages of one author in one second among which an answer is looked for
NOTICE = re.compile(rf"{STAMP} +(\S.*)")
FIRST_OF_EDITS = re.compile(rf"{STAMP}(?: .*)?")
EDITED = re.compile(r"Edited .{0,60}? later: *(.*)")
REACTION_TITLES = ("Reactions:", "Tapbacks:")
REACTION = re.compile(r".{1,60} by .+|\s*(?:\S+ )?Sticker from .+")
EFFECT = re.compile(
    "Sent with (?:Confetti|Echo|Fireworks|Balloons|Heart|Lasers|Shooting Star|Sparkles|Spotlight"
    "|Slam|Loud|Gentle|Invisible Ink)"
)
ANSWER = "This message responded to an earlier message."
DELETED = "This message was deleted from the conversation!"
TRANSLATED = "Translated from:"
UNSENT = re.compile(r".{1,60} (?:deleted a message\.|unsent (?:a|this) message(?: part)?\b.*)")
_FILES = "jpe?g|png|heic|heif|gif|webp|tiff?|mov|mp4|m4v|3gp|m4a|mp3|caf|amr|aac|wav|pdf|vcf|pluginPayloadAttachment"
ATTACHMENT = re.compile(
    rf"Attachment missing!|\ufffc+|[^\s/]+\.(?:{_FILES})"
    r"|\S.*/Attachments?/.*|attachments/.*|(?:~|/Users|/var)/\S.*\.\w{2,5}"
    r"|(?:\S+ )?Sticker from .{1,60}: .*",
    re.IGNORECASE,
)
LINK = re.compile(r"https?://\S+")
APP = re.compile(  # what the exporter writes for games, maps and the like, in the first line
    r"(?:[a-z]+(?:\.[\w-]+)+|[A-Z]\S*(?: [A-Z]\S*){0,3}) message:(?: .*)?|Apple (?:Cash|Pay) transaction: .*"
    r"|SharePlay Message|(?:Started|Stopped) sharing location!|Shared location!|Check\sIn: .*|Photo album: .*"
    r"|Handwritten messages are not yet supported!|Unable to format app message: .*"
)


@dataclass
class _Block:
    """One message: its header's line number, time, author, and the lines below."""

    line: int
    time: datetime
    author: str
    lines: list[str]
    is_nested: bool  # an answer, shown below the message that it answers
    is_repeated: bool = False  # nested, and also in its own place


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
        _settle_answers(blocks)
        for item in blocks:
            if not isinstance(item, _Block):
                found.system(conversation, *item)
            elif not item.is_repeated:
                kind, text = _body(item.lines)
                found.add(
                    *(conversation, item.time, item.author, item.author, text, kind),
                    source=file.name,
                    line=item.line,
                )
    return found.done()


def _settle_answers(blocks: Sequence[_Block | tuple[datetime, str]]) -> None:
    """Marks the answers that stand in their own place too; what stands behind one is again of what it answers."""
    own: dict[tuple[datetime, str], list[list[str]]] = defaultdict(list)
    for item in blocks:
        if isinstance(item, _Block) and not item.is_nested:
            at_once = own[item.time, item.author]
            if len(at_once) < MOST_AT_ONCE:
                at_once.append(_bare(item.lines))
    parent = None
    for item in blocks:
        if not isinstance(item, _Block) or not item.is_nested:
            parent = item if isinstance(item, _Block) else None
            continue
        lines = [" ".join(line.split()) for line in item.lines]
        same = [
            known
            for known in own[item.time, item.author]
            if lines[: len(known)] == known and (known or not any(lines))
        ]
        if same:
            item.is_repeated = True
            behind = item.lines[max(map(len, same)) :]
            if parent:
                parent.lines += itertools.dropwhile(lambda line: not line.strip(), behind)


def _bare(lines: Sequence[str]) -> list[str]:
    """To compare: spaces differ between the two places of an answer, and only one says that it is one."""
    bare = [" ".join(line.split()) for line in lines]
    while bare and bare[-1] in ("", ANSWER):
        bare.pop()
    return bare


def _blocks(file: File, found: Collector, conversation: str) -> Iterator[_Block | tuple[datetime, str]]:
    """The messages and the notices (`May 17, 2022  5:29:42 PM Anna renamed the conversation to …`), in order."""
    lines, block, place, after_blank = file.text.split("\n"), None, 0, True
    while place < len(lines):
        line = lines[place]
        header = HEADER.fullmatch(line) if len(line) <= LONGEST_HEADER else None
        indent = len(header[1]) if header else 0
        nested = bool(block) and indent > 0
        time = _time(header.groups()[1:]) if header else None
        ends = place + 1 == len(lines) or not lines[place + 1].strip()
        notice = NOTICE.fullmatch(line) if after_blank and ends else None
        notice_time = _time(notice.groups()[:7]) if notice else None
        if notice_time and block and block.time - notice_time > BACKWARDS:
            notice_time = None  # words of a message: notices stand in the order of time
        if (
            header
            and time
            and (after_blank or nested)
            and place + 1 < len(lines)
            and lines[place + 1].strip()
            and lines[place + 1].startswith(header[1])
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
    kept = _without_reactions(lines)
    while kept and (
        not kept[-1].strip() or kept[-1] == ANSWER or (len(kept) > 1 and EFFECT.fullmatch(kept[-1]))
    ):
        kept.pop()
    was_deleted = bool(kept) and kept[0] == DELETED
    kept = _edited(kept[was_deleted:])
    if TRANSLATED in kept[1:-1]:  # the exporter gives the translation first
        kept = kept[kept.index(TRANSLATED, 1) + 1 :]
    words = [line for line in kept if not UNSENT.fullmatch(line)]
    unsent_alone = len(words) < len(kept) and not any(map(str.strip, words))
    if was_deleted or unsent_alone:
        return "deleted", "\n".join(kept)
    said = [line for line in words if not ATTACHMENT.fullmatch(line)]
    # Behind an address alone stand the title and the summary of its page, which nobody wrote.
    has_media = len(said) < len(words) or any(APP.fullmatch(line) for line in words[:1])
    has_media |= len(words) > 1 and LINK.fullmatch(words[0]) is not None
    if any(map(str.strip, said)):
        words = said
    return ("media" if has_media else "text"), "\n".join(words).strip("\n")


def _without_reactions(lines: Sequence[str]) -> list[str]:
    """Without the lists of them, each with its title and the empty line behind it."""
    kept, place = list[str](), 0
    while place < len(lines):
        follows = lines[place + 1] if place + 1 < len(lines) else ""
        if lines[place] in REACTION_TITLES and REACTION.fullmatch(follows):
            place += 1
            while place < len(lines) and REACTION.fullmatch(lines[place]):
                place += 1
            place += place < len(lines) and not lines[place].strip()
        else:
            kept.append(lines[place])
            place += 1
    return kept


def _edited(lines: list[str]) -> list[str]:
    """Of an edited part the last text: the exporter gives all, the first behind its time."""
    starts = [number for number, line in enumerate(lines) if FIRST_OF_EDITS.fullmatch(line)]
    bounds = [*starts, len(lines)]
    kept = lines[: bounds[0]]
    for start, end in itertools.pairwise(bounds):
        part = lines[start:end]
        edits = [(number, match) for number, line in enumerate(part) if (match := EDITED.fullmatch(line))]
        if edits:
            number, last = edits[-1]
            part = [last[1], *part[number + 1 :]]
        kept += part
    return kept
