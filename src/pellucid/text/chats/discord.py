"""Discord channels, as DiscordChatExporter writes them in JSON; Discord's own data package is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pellucid.errors import InputError
from pellucid.text.chats.collect import Collector, Options, iso_time, items, joined, mapping, string
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "discord"
# types of messages that people write; old versions have no word for replies
WORDS = ("Default", "Reply", "19")
PACKAGE_FIELDS = frozenset(("ID", "Timestamp", "Contents"))


def recognises(file: File) -> bool:
    value = mapping(file.value)
    return "channel" in value and "guild" in value and isinstance(value.get("messages"), list)


def refuse_package(file: File) -> None:
    """Raises InputError if `file` is of the data package that Discord itself gives out."""
    first = next(iter(items(file.value)), None)
    table = re.match(r"\s*ID,Timestamp,Contents", file.text)
    if table or (isinstance(first, dict) and first.keys() >= PACKAGE_FIELDS):
        raise InputError(
            f"{file.name} is of Discord's own data package, which holds only what you wrote, and a chat takes both "
            "sides: export the channel with DiscordChatExporter as JSON, or train on your words as plain text"
        )


def read(files: Sequence[File], options: Options) -> Chats:
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        value = mapping(file.value)
        guild, channel = mapping(value.get("guild")), mapping(value.get("channel"))
        name = " / ".join(filter(None, (string(guild.get("name")), string(channel.get("name")))))
        conversation = found.conversation(name or file.stem, string(channel.get("id")) or file.path)
        if not isinstance(value.get("messages"), list):
            found.fail(file.name, file.value)
        for message in items(value.get("messages")):
            _read(found, conversation, message, file.name)
    return found.done()


def _read(found: Collector, conversation: str, message: Any, source: str) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        found.fail(source, message)
        return
    author, text = mapping(message.get("author")), message["content"]
    time = found.time_or_none(iso_time(message.get("timestamp")))
    name = string(author.get("nickname")) or string(author.get("name"))
    identity = string(author.get("id")) or name
    type_ = message.get("type", "Default")
    if type_ not in WORDS and type_ != "Call":
        found.system(conversation, time, " ".join(filter(None, (name, text or string(type_)))))
        return
    if not identity:
        found.fail(source, message)
        return
    kind: Kind = "text"
    forwarded = mapping(message.get("forwardedMessage"))
    placeholder = _attachments(message)
    if type_ == "Call":
        kind = "call"
    elif forwarded or mapping(message.get("reference")).get("type") == "Forward":
        kind, text = "forwarded", text or string(forwarded.get("content")) or _attachments(forwarded)
    elif placeholder:
        kind, text = "media", text or placeholder
    found.add(conversation, time, identity, name or identity, text, kind, source=source)


def _attachments(message: dict[str, Any]) -> str:
    """What comes with the words: files and stickers; a preview of a link only where there are no words."""
    names = [string(mapping(file).get("fileName"), "file") for file in items(message.get("attachments"))]
    names += [string(mapping(sticker).get("name"), "sticker") for sticker in items(message.get("stickers"))]
    if not names and not message.get("content"):
        names = [string(mapping(embed).get("title")) or "embed" for embed in items(message.get("embeds"))]
    return joined(f"<{name}>" for name in names)
