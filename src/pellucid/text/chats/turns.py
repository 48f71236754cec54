"""Plain turns: lines that begin with `me:` or `them:` (or `user:` and `assistant:`), as one writes by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.text.chats.collect import Collector, Options
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats

NAME = "turns"
LABEL = re.compile(r"(me|them|user|assistant)[ \t]*:[ \t]?(.*)", re.IGNORECASE)
BREAK = re.compile(r"-{3,}[ \t]*")  # begins the next conversation


@dataclass
class _Turn:
    conversation: int
    author: str
    lines: list[str]
    begun: int


def recognises(file: File) -> bool:
    """Two sides at least, the first of them in the first line."""
    first = next((line for line in file.head.split("\n") if line.strip()), "")
    if file.shape != "text" or not LABEL.fullmatch(first):
        return False
    return len({match[1].lower() for match in map(LABEL.fullmatch, file.text.split("\n")) if match}) > 1


def read(files: Sequence[File], options: Options) -> Chats:
    """Lines without a label go on with the turn before; empty lines at its end are no part of it."""
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        for turn in _turns(file, found):
            name = file.stem if turn.conversation == 1 else f"{file.stem} {turn.conversation}"
            text = "\n".join(turn.lines).rstrip("\n")
            found.add(name, None, turn.author, turn.author, text, source=file.name, line=turn.begun)
    return found.done()


def _turns(file: File, found: Collector) -> list[_Turn]:
    turns, conversation, is_open = list[_Turn](), 1, False
    for number, line in enumerate(file.text.split("\n"), 1):
        match = LABEL.fullmatch(line)
        if match:
            turns.append(_Turn(conversation, match[1].lower(), [match[2]], number))
            is_open = True
        elif BREAK.fullmatch(line):
            conversation, is_open = conversation + is_open, False
        elif is_open:
            turns[-1].lines.append(line)
        elif line.strip():
            found.fail(file.name, line, number)
    return turns
