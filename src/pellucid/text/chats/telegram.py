"""Telegram Desktop's result.json: one chat, or all chats of an account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from pellucid.text.chats.collect import (
    Collector,
    Options,
    iso_time,
    items,
    joined,
    mapping,
    string,
    unix_time,
)
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats

NAME = "telegram"
NO_NAME = "Deleted Account"  # what Telegram shows of one who left
MEDIA_FIELDS = (
    *("photo", "file", "media_type", "sticker_emoji", "poll", "location_information", "contact_information"),
    *(
        "game_title",
        "invoice_information",
        "giveaway_information",
        "giveaway_results",
        "paid_stars_amount",
        "todo_list",
        "place_name",
    ),
)
NAMELESS = {  # chats that Telegram itself opens, by their type
    "saved_messages": "Saved Messages",
    "replies": "Replies",
    "verification_codes": "Verification Codes",
}
PLACEHOLDERS = {"paid_stars_amount": "paid_media", "place_name": "location"}
CALLS = ("phone_call", "group_call", "group_call_scheduled", "conference_call")


def recognises(file: File) -> bool:
    value = file.value
    if not isinstance(value, dict):
        return False
    if any(isinstance(mapping(value.get(field)).get("list"), list) for field in ("chats", "left_chats")):
        return True
    if not isinstance(value.get("messages"), list) or "participants" in value or "channel" in value:
        return False
    fields = {field for message in value["messages"][:50] for field in mapping(message)}
    known = bool(fields & {"from_id", "actor_id", "date_unixtime", "text_entities"}) or fields >= {
        "from",
        "date",
    }
    return known or (
        "type" in value and "name" in value and not fields & {"role", "sender_name", "senderName"}
    )


def read(files: Sequence[File], options: Options) -> Chats:
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        for chat in _chats(file.value):
            if not isinstance(chat, dict) or not isinstance(chat.get("messages"), list):
                found.fail(file.name, chat)
                continue
            name = string(chat.get("name")) or NAMELESS.get(string(chat.get("type")), NO_NAME)
            conversation = found.conversation(name, string(chat.get("id")) or file.path)
            for message in chat["messages"]:
                _read(found, conversation, message, file.name)
    return found.done()


def _chats(value: Any) -> Iterator[Any]:
    value = mapping(value)
    if isinstance(value.get("messages"), list):
        yield value
    for field in ("chats", "left_chats"):
        yield from items(mapping(value.get(field)).get("list"))


def _read(found: Collector, conversation: str, message: Any, source: str) -> None:
    kind = mapping(message).get("type", "message")
    if not isinstance(message, dict) or "date" not in message:
        found.fail(source, message)
        return
    text = text_of(message.get("text", ""))
    if kind not in ("message", "service") or text is None:
        found.fail(source, message)
        return
    time = found.time_or_none(_time(message))
    if kind == "service":
        action, actor = string(message.get("action")), _name(message.get("actor"))
        if action in CALLS:
            found.add(
                conversation,
                time,
                _identity(message, "actor"),
                actor or NO_NAME,
                action,
                "call",
                source=source,
            )
        else:
            told = text or string(message.get("information_text"))
            found.system(conversation, time, " ".join(part for part in (actor, action, told) if part))
        return
    author = _name(message.get("from")) or NO_NAME
    author_id = _identity(message, "from") or author
    forwarded = "forwarded_from" in message or "forwarded_from_id" in message or "saved_from" in message
    media = next((field for field in MEDIA_FIELDS if message.get(field) not in (None, "")), None)
    if media is None and "location_information" in message:  # null of a place that is not known
        media = "location_information"
    if media and not text:
        text = _placeholder(message, media)
    found.add(
        *(conversation, time, author_id, author, text),
        "forwarded" if forwarded else "media" if media else "text",
        source=source,
    )


def text_of(value: Any) -> str | None:
    """A string, or a list of strings and of parts with a text, joined with nothing between; None of all else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    parts = [part if isinstance(part, str) else mapping(part).get("text") for part in value]
    return None if any(not isinstance(part, str) for part in parts) else "".join(parts)  # pyright: ignore


def _placeholder(message: dict[str, Any], field: str) -> str:
    kind = string(message.get("media_type")) or PLACEHOLDERS.get(field) or field.removesuffix("_information")
    question = text_of(mapping(message.get("poll")).get("question")) or ""  # of parts since 2024
    title = text_of(mapping(message.get("todo_list")).get("title")) or ""
    return joined((f"<{kind}>", question, title))


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _identity(message: dict[str, Any], who: str) -> str | None:
    """`from_id` is "user123", and the bare number in files before 2021."""
    identity = string(message.get(f"{who}_id"))
    if identity.isdecimal():
        identity = f"user{identity}"
    return identity or _name(message.get(who))


def _time(message: dict[str, Any]) -> datetime | None:
    """The clock of who exported, `date`; with its distance from UTC where `date_unixtime` tells it."""
    local, instant = iso_time(message.get("date")), unix_time(message.get("date_unixtime"))
    if local is None or instant is None or local.tzinfo is not None:
        return local or instant
    ahead = local - instant.replace(tzinfo=None)
    if abs(ahead) > timedelta(hours=15) or ahead % timedelta(minutes=1):
        return instant
    return local.replace(tzinfo=timezone(ahead))
