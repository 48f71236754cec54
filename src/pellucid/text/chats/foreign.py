"""Files that programs write beside the format that is read: what to export instead."""

from __future__ import annotations

import re
from typing import Any

from pellucid.text.chats.collect import items, mapping
from pellucid.text.chats.files import File

DISCORD_TEXT = re.compile(r"={20,}\nGuild: .*\nChannel: ")
DISCORD_TABLE = re.compile(r'"?AuthorID"?,"?Author"?,"?Date"?,"?Content"?')
PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "response"),
    ("question", "answer"),
)


def advice(file: File) -> str | None:
    """What a file is that no reader takes, and what to do, as the end of a sentence; None where it is not known."""
    if DISCORD_TEXT.match(file.head.lstrip()) or DISCORD_TABLE.match(file.head):
        return "is what DiscordChatExporter writes as text or as a table: export the channel again, as JSON"
    row = mapping(_first(file))
    if {"uuid", "chat_messages"} <= row.keys():
        return (
            "is an export of Claude, which is not read: write its turns as lines of "
            '{"messages": [{"role": …, "content": …}]}'
        )
    if {"chosen", "rejected"} <= row.keys():
        return 'holds answers to compare, and no chat: write the chosen ones as lines of {"messages": …}'
    pair = next((pair for pair in PAIRS if row.keys() >= set(pair)), None)
    if pair:
        return (
            f"has the fields {pair[0]!r} and {pair[1]!r}: name them 'instruction' and 'output', "
            'or write lines of {"messages": …}'
        )
    return None


def _first(file: File) -> Any:
    if file.shape == "lines":
        return file.rows[0][1] if file.rows else None
    return next(iter(items(file.value)), file.value)
