"""Signal: the text of signal-export (chat.md, one a conversation); Signal itself exports no text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pellucid.text.chats.collect import Collector, Options, iso_time
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "signal"
ME, NOBODY = "Me", "No-Sender"  # as signal-export calls oneself, and a message whose sender it does not know
HEADER = re.compile(r"\[(\d{4}-\d\d-\d\d),? (\d\d:\d\d(?::\d\d)?)\] ([^:\n]{1,120}|.{1,120}?):(?: (.*)|)$")
REST_OF_NAME = re.compile(r"([^:\n]{1,60}):(?: |$)")
FILES = ("chat", "index")  # names of the file, where the folder is called after the conversation
WHATSAPP_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
REACTIONS = re.compile(r"\n\(- .* -\)(?=\s*(?:\(\( .* \)\)|!?\[|\((?:media|attachment) not exported\)|\Z))")
STICKER = re.compile(r"(?:\A|\n)\(\( .* \)\)\s*\Z")
LINK = (
    r"!?\[(?:(?!\]\()[^\n])*\]\(\.{0,2}/?(?:media|exported_stickers)/[^ \n]*\)(?= |\n|\Z)"
    r"|\((?:media|attachment) not exported\)"
)
LINKS = re.compile(rf"\s*(?:(?:{LINK})\s*)+\Z")
TAIL = 1000  # characters in which an expression looks for what ends a message
DELETED = "(This message was deleted)"
CALL = re.compile(r"(?:Incoming|Outgoing|Missed)(?: \w+)? call(?: \(.*\))?")
ENOUGH = 3  # messages that tell a name with a colon from words


def fits(file: File) -> bool:
    """By its first line."""
    first = next((line for line in file.head.split("\n") if line.strip()), "")
    return file.shape == "text" and HEADER.match(first) is not None


def recognises(file: File) -> bool:
    """Also by oneself, called Me: iPhones in some countries write WhatsApp's lines alike."""
    if not fits(file) or WHATSAPP_MARKS.search(file.head):
        return False
    authors = {match[3] for match in map(HEADER.match, file.text.split("\n")) if match}
    return file.path.suffix.lower() == ".md" or ME in authors or NOBODY in authors


@dataclass
class _Block:
    """One message: its time and author, its lines, and the number of its header's."""

    time: datetime
    author: str
    lines: list[str]
    begun: int


def read(files: Sequence[File], options: Options) -> Chats:
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        name = file.path.parent.name if file.stem in FILES else file.stem
        conversation = found.conversation(name or file.stem, file.path)
        blocks = _blocks(file, found)
        _mend_names(blocks, conversation)
        for block in blocks:
            _add(found, conversation, block, file.name)
    return found.done()


def _blocks(file: File, found: Collector) -> list[_Block]:
    blocks = list[_Block]()
    for number, line in enumerate(file.text.split("\n"), 1):
        match = HEADER.match(line)
        time = iso_time(f"{match[1]}T{match[2]}") if match else None
        if match and time:
            blocks.append(_Block(time, match[3], [match[4] or ""], number))
        elif blocks:
            blocks[-1].lines.append(line)
        elif line.strip():
            found.fail(file.name, line, number)
    return blocks


def _mend_names(blocks: Sequence[_Block], conversation: str) -> None:
    """Names may hold a colon: then all messages of `Dr` begin with `Strange: `, or the chat is called after both."""
    of: dict[str, list[_Block]] = defaultdict(list)
    for block in blocks:
        of[block.author].append(block)
    for author, several in of.items():
        rests = {match[1] if (match := REST_OF_NAME.match(block.lines[0])) else None for block in several}
        rest = rests.pop() if len(rests) == 1 and author not in (ME, NOBODY) else None
        whole = f"{author}: {rest}"
        if rest and (len(several) >= ENOUGH or _letters(whole) == _letters(conversation)):
            for block in several:
                block.author = whole
                block.lines[0] = block.lines[0][len(rest) + 1 :].removeprefix(" ")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name)


def _add(found: Collector, conversation: str, block: _Block, source: str) -> None:
    author, text = block.author, "\n".join(block.lines).rstrip("\n").removesuffix("  ")
    kind: Kind = "text"
    text = _without_quote(_without_reactions(text))
    if text.strip() == DELETED:
        kind = "deleted"
    elif CALL.fullmatch(text.strip()):
        kind = "call"
    else:
        words = _without_media(text)
        if words is not None:
            kind, text = "media", words or text.strip()
    if author == NOBODY:
        found.system(conversation, block.time, text)
    else:
        found.add(conversation, block.time, author, author, text, kind, source=source, line=block.begun)


def _without_reactions(text: str) -> str:
    """They stand behind the words, and attachments before or behind them, by the version."""
    start = max(0, len(text) - TAIL)
    match = REACTIONS.search(text, start)
    if match is None:
        return text
    return text[: match.start()].removesuffix("  ") + text[match.end() :]


def _without_media(text: str) -> str | None:
    """The words that come with attachments or a sticker; None where there are none of those."""
    start = max(0, len(text) - TAIL)
    match = STICKER.search(text, start) or LINKS.search(text, start)
    return None if match is None else text[: match.start()].rstrip()


def _without_quote(text: str) -> str:
    """Without the message that is answered, which stands first, in `>`.

    It begins behind an empty line; before version 1.6 between lines of `>` alone, and only its first line is marked.
    """
    lines = text.split("\n")
    if len(lines) < 3 or lines[0].strip() or not lines[2].startswith("> "):
        return text
    if lines[1] == ">":
        end = next((number for number, line in enumerate(lines) if number > 2 and line == ">"), len(lines))
        return "\n".join(lines[end + 1 :])
    if lines[1].strip():
        return text
    end = next((number for number, line in enumerate(lines) if number > 1 and line[:1] != ">"), len(lines))
    return "\n".join(lines[end:]).removeprefix("\n")
