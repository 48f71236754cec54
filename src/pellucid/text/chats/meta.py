"""Messenger and Instagram: threads in message_1.json and on, and the download of end-to-end encrypted chats."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from pellucid.text.chats.collect import EPOCH, Collector, Options, items, joined, mapping, string, unix_time
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

MESSENGER, INSTAGRAM = "messenger", "instagram"
MEDIA_FIELDS = ("photos", "videos", "audio_files", "gifs", "sticker", "files")
NOTICES = re.compile(r"(?:Liked a message|Reacted \S+ to your message)\s*")
NO_NAME = "Facebook User"  # what Messenger shows of one who left
LONGEST_NOTICE = 120
ATTACHMENT = re.compile(r".{1,100} sent an attachment\.")


def recognises(file: File) -> bool:
    """Either of the two: they differ in nothing but their folders."""
    value = mapping(file.value)
    messages = items(value.get("messages"))
    if not isinstance(value.get("messages"), list):
        return False
    fields = {field for message in messages[:50] for field in mapping(message)}
    known = bool(fields & {"sender_name", "timestamp_ms", "senderName"})
    return known or ("participants" in value and not messages)


def is_instagram(file: File) -> bool:
    return "instagram" in str(file.path).lower()


def read_messenger(files: Sequence[File], options: Options) -> Chats:
    return _read_all(Collector(MESSENGER), files)


def read_instagram(files: Sequence[File], options: Options) -> Chats:
    return _read_all(Collector(INSTAGRAM), files)


def repaired(text: str) -> str:
    """What was UTF-8 and was read as Latin-1; as it is where it was not."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _read_all(found: Collector, files: Sequence[File]) -> Chats:
    threads: dict[str | PurePosixPath, list[File]] = defaultdict(list)
    for file in files:
        found.begin(file)
        value = mapping(file.value)
        encrypted = "threadName" in value or any(
            "senderName" in mapping(m) for m in items(value.get("messages"))[:50]
        )
        if encrypted or not isinstance(value.get("messages"), list):
            _read_encrypted(found, file)
        else:
            # A download in several archives has parts of a thread in several folders.
            threads[string(value.get("thread_path")) or file.path.parent].append(file)
    for thread, parts in threads.items():
        parts.sort(key=_part, reverse=True)  # message_1.json is the newest
        folder = parts[0].path.parent.name
        title = repaired(string(mapping(parts[0].value).get("title"))) or folder or parts[0].stem
        _read_thread(found, found.conversation(title, thread), parts)
    return found.done()


def _part(file: File) -> int:
    number = re.search(r"(\d+)\D*$", file.stem)
    return int(number[1][-9:]) if number else 0


def _in_order(messages: list[tuple[datetime | None, Any, str]]) -> list[tuple[datetime | None, Any, str]]:
    """By time, those of one moment as they stood; one without a time stays behind the one before it."""
    keys, last = list[datetime](), EPOCH
    for time, _, _ in messages:
        last = time or last
        keys.append(last)
    return [messages[place] for place in sorted(range(len(messages)), key=keys.__getitem__)]


def _read_thread(found: Collector, conversation: str, parts: Sequence[File]) -> None:
    messages = list[tuple[datetime | None, Any, str]]()
    for part in parts:
        for message in reversed(mapping(part.value)["messages"]):
            messages.append((_time(mapping(message)), message, part.name))
    for time, message, source in _in_order(messages):
        if not isinstance(message, dict) or not isinstance(message.get("sender_name"), str):
            found.fail(source, message)
            continue
        author, words = repaired(message["sender_name"]) or NO_NAME, message.get("content", "")
        if not isinstance(words, str):
            found.fail(source, message)
            continue
        kind, text = _kind(message, repaired(words), author)
        time = found.time_or_none(time)
        if kind == "system":
            found.system(conversation, time, text)
        else:
            found.add(conversation, time, author, author, text, kind, source=source)


def _time(message: dict[str, Any]) -> datetime | None:
    """In thousandths of a second; files of early 2018 have seconds."""
    return unix_time(message.get("timestamp_ms"), 1000) or unix_time(message.get("timestamp"))


def _kind(message: dict[str, Any], text: str, author: str) -> tuple[Kind, str]:
    media = [field for field in MEDIA_FIELDS if message.get(field)]
    if message.get("is_unsent") or message.get("is_unsent_image_by_messenger_kid_parent"):
        return "deleted", text
    if "call_duration" in message or message.get("type") == "Call":
        return "call", text
    share = mapping(message.get("share"))
    if share:
        link = repaired(string(share.get("link")))
        notice = ATTACHMENT.fullmatch(text) or _says_who(text, author, link)
        if not text or notice:
            return "media", text or joined(("<share>", link or repaired(string(share.get("share_text")))))
    by_program = message.get("type") in ("Subscribe", "Unsubscribe", "Plan", "Payment")
    if by_program or NOTICES.fullmatch(text) or _tells_of(author, text):
        return "system", text
    if media:
        return "media", text or f"<{media[0].removesuffix('s')}>"
    return "text", text


def _tells_of(author: str, text: str) -> bool:
    """Whether it is a notice: "Anna Braun left the group." Nobody begins with a whole name of one's own."""
    short = len(text) <= LONGEST_NOTICE and "\n" not in text
    return short and " " in author and text.startswith(f"{author} ") and text.endswith(".")


def _says_who(text: str, author: str, link: str) -> bool:
    """Whether the words beside what is shared are the program's: "Anna sent an attachment.", in any language."""
    return len(text) <= LONGEST_NOTICE and author in text and "http" not in text and bool(link)


def _read_encrypted(found: Collector, file: File) -> None:
    """`threadName`, `senderName`, `text`, `timestamp`: its UTF-8 is as it should be."""
    value = mapping(file.value)
    if not isinstance(value.get("messages"), list):
        found.fail(file.name, file.value)
        return
    name = re.sub(r"_\d+$", "", string(value.get("threadName"))) or file.stem
    conversation = found.conversation(name, string(value.get("threadName")) or file.path)
    timed = [
        (unix_time(mapping(message).get("timestamp"), 1000), message, "") for message in value["messages"]
    ]
    known = [time for time, _, _ in timed if time]
    if known and known[0] > known[-1]:
        timed.reverse()
    for time, message, _ in _in_order(timed):
        author, text = mapping(message).get("senderName"), mapping(message).get("text") or ""
        if not isinstance(author, str) or not isinstance(text, str):
            found.fail(file.name, message)
            continue
        kind: Kind = "text"
        if message.get("isUnsent"):
            kind = "deleted"
        elif "call" in string(message.get("type")).lower():
            kind = "call"
        elif (
            items(message.get("media"))
            or message.get("type") == "placeholder"
            or (not text and message.get("type") not in (None, "text"))
        ):
            kind, text = "media", text or f"<{string(message.get('type'), 'media')}>"
        author = author or NO_NAME
        found.add(conversation, found.time_or_none(time), author, author, text, kind, source=file.name)
