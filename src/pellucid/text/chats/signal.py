"""Signal: the text of signal-export (chat.md, one a conversation); Signal itself exports no text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from pellucid.text.chats.collect import Collector, Options, iso_time
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "signal"
ME, NOBODY = "Me", "No-Sender"  # as signal-export calls oneself, and a message whose sender it does not know
HEADER = re.compile(r"\[(\d{4}-\d\d-\d\d),? (\d\d:\d\d(?::\d\d)?)\] ([^:\n]{1,120}|.{1,120}?):(?: (.*)|)$")
FILES = ("chat", "index")  # names of the file, where the folder is called after the conversation
WHATSAPP_MARKS = re.compile("[\u200e\u200f\u202a-\u202e]")
REACTIONS = re.compile(r"\n\(- .* -\)\s*\Z")
STICKER = re.compile(r"\n?\(\( .* \)\)\s*\Z")
ATTACHMENTS = re.compile(r"\s*(?:!?\[[^\]\n]*\]\([^)\n]*\)\s*)+")
LINKS = re.compile(r"(?:!?\[[^\]\n]*\]\(\.{0,2}/?(?:media|[^)\n]*exported_stickers)/[^)\n]*\)\s*)+\Z")
TAIL = 1000  # characters in which an expression looks for what ends a message
DELETED = "(This message was deleted)"
CALL = re.compile(r"(?:Incoming|Outgoing|Missed)(?: voice| video)? call(?: \(.*\))?")


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


def read(files: Sequence[File], options: Options) -> Chats:
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        name = file.path.parent.name if file.stem in FILES else file.stem
        conversation = found.conversation(name or file.stem, file.path)
        header, body, begun = None, list[str](), 0
        for number, line in enumerate(file.text.split("\n"), 1):
            match = HEADER.match(line)
            time = iso_time(f"{match[1]}T{match[2]}") if match else None
            if match and time:
                _add(found, conversation, header, body, file.name, begun)
                header, body, begun = (time, match[3]), [match[4] or ""], number
            elif header:
                body.append(line)
            elif line.strip():
                found.fail(file.name, line, number)
        _add(found, conversation, header, body, file.name, begun)
    return found.done()


def _add(
    found: Collector,
    conversation: str,
    header: tuple[datetime, str] | None,
    body: Sequence[str],
    source: str,
    line: int,
) -> None:
    if header is None:
        return
    (time, author), text = header, "\n".join(body).rstrip("\n").removesuffix("  ")
    kind: Kind = "text"
    reactions = REACTIONS.search(text[-TAIL:])
    if reactions:
        text = text.removesuffix(reactions[0]).removesuffix("  ")
    text = _without_quote(text)
    end = text[-TAIL:]
    if text.strip() == DELETED:
        kind = "deleted"
    elif CALL.fullmatch(text.strip()):
        kind = "call"
    elif (len(text) <= TAIL and ATTACHMENTS.fullmatch(text)) or LINKS.search(end) or STICKER.search(end):
        kind = "media"
    if author == NOBODY:
        found.system(conversation, time, text)
    else:
        found.add(conversation, time, author, author, text, kind, source=source, line=line)


def _without_quote(text: str) -> str:
    """Without the message that is answered: it stands first, behind an empty line, every line of it after `> `."""
    lines = text.split("\n")
    if len(lines) < 3 or lines[0].strip() or lines[1].strip() or not lines[2].startswith("> "):
        return text
    end = next(
        (number for number, line in enumerate(lines) if number > 1 and not line.startswith("> ")), len(lines)
    )
    return "\n".join(lines[end:]).removeprefix("\n")
