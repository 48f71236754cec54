"""Slack's export: people in users.json, conversations in channels.json and its like, a file of messages a day."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pellucid.text.chats.collect import Collector, Options, items, joined, mapping, string, unix_time
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "slack"
TABLES = ("users", "org_users", "channels", "groups", "dms", "mpims")
WORDS = (None, "", "thread_broadcast", "reply_broadcast", "me_message", "file_share", "file_comment")
CALLS = ("huddle_thread", "sh_room_created")
SLACKBOT = "USLACKBOT"  # no bot in users.json
EVERYONE = ("here", "channel", "everyone")
MARKUP = re.compile(r"<([^<>\n]*)>|&(?:amp|lt|gt);")
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}


def recognises(file: File) -> bool:
    """A day of messages, or one of the tables beside the channels' folders."""
    first = mapping(next(iter(items(file.value)), None))
    if (
        file.stem in TABLES
        and isinstance(first.get("id"), str)
        and not first.keys() & {"messages", "mapping"}
    ):
        return True
    return first.get("type") == "message" and "ts" in first


@dataclass
class _Workspace:
    """What the tables say; `days` are files of messages by the folder of their channel."""

    users: dict[str, str] = field(default_factory=dict)
    bots: set[str] = field(default_factory=lambda: {SLACKBOT})  # ids
    channels: dict[str, str] = field(default_factory=dict)  # by id, without the sign
    members: dict[str, list[str]] = field(default_factory=dict)  # ids, of direct messages by their folder
    days: dict[PurePosixPath, list[File]] = field(default_factory=lambda: defaultdict(list))

    def title(self, folder: str) -> str:
        """What to call the conversation of a folder; direct messages are called after the people."""
        if folder in self.members:
            return ", ".join(self.users.get(member, member) for member in self.members[folder]) or folder
        return f"#{self.channels.get(folder, folder)}"


def read(files: Sequence[File], options: Options) -> Chats:
    found, spaces = Collector(NAME), dict[PurePosixPath, _Workspace]()
    for file in files:
        found.begin(file)
        if file.stem in TABLES and isinstance(file.value, list):
            _take_table(spaces.setdefault(file.path.parent, _Workspace()), file, found)
        else:
            spaces.setdefault(file.path.parent.parent, _Workspace()).days[file.path.parent].append(file)
    for space in spaces.values():
        if space.days and not space.users:
            found.notes.append(
                "there is no users.json beside the channels, so people are named by their messages"
            )
        for folder, days in space.days.items():
            conversation = found.conversation(space.title(folder.name or days[0].stem), folder)
            for day in sorted(days, key=lambda file: file.stem):
                if not isinstance(day.value, list):
                    found.fail(day.name, day.value)
                for message in items(day.value):
                    _read(found, conversation, message, space, day.name)
    return found.done()


def _take_table(space: _Workspace, file: File, found: Collector) -> None:
    for row in file.value:
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            found.fail(file.name, row)
            continue
        identity, name = row["id"], string(row.get("name"))
        if file.stem in ("users", "org_users"):
            space.users[identity] = _name(row.get("profile"), row) or identity
            if row.get("is_bot") is True:
                space.bots.add(identity)
        elif file.stem in ("dms", "mpims"):
            members = [string(member) for member in items(row.get("members"))]
            space.members[name or identity] = space.members[identity] = members
        elif name:
            space.channels[identity] = name


def _name(profile: Any, user: Mapping[str, Any] | None = None) -> str:
    """As Slack shows it: the display name, else the real one."""
    profile, user = mapping(profile), user or {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return next((name for name in names if isinstance(name, str) and name), "")


def _read(found: Collector, conversation: str, message: Any, space: _Workspace, source: str) -> None:
    message = mapping(message)
    raw, subtype = message.get("text", ""), message.get("subtype")
    if raw is None and (message.get("files") or message.get("attachments")):
        raw = ""
    if message.get("type") != "message" or not isinstance(raw, str):
        found.fail(source, message)
        return
    time, text = found.time_or_none(unix_time(message.get("ts"))), plain(raw, space.users, space.channels)
    identity = string(message.get("user")) or string(message.get("bot_id"))
    by_program = identity in space.bots or (message.get("bot_id") and not message.get("user"))
    if subtype not in (*WORDS, *CALLS, "tombstone") or (by_program and subtype in WORDS):
        found.system(conversation, time, text or _shown_of_cards(message) or string(subtype))
        return
    author = (
        space.users.get(identity) or _name(message.get("user_profile")) or string(message.get("username"))
    )
    if not identity and not author:
        found.fail(source, message)
        return
    attached = joined(
        f"<{string(mapping(file).get('name')) or 'file'}>" for file in items(message.get("files"))
    )
    kind: Kind = "deleted" if subtype == "tombstone" else "call" if subtype in CALLS else "text"
    if not text:  # messages of others, shared without a word
        attached = attached or _shown_of_cards(message)
    if kind == "text" and attached:
        kind, text = "media", text or attached
    found.add(conversation, time, identity or author, author or identity, text, kind, source=source)


def _shown_of_cards(message: Mapping[str, Any]) -> str:
    """Of programs that write in cards alone, what stands for those where they cannot be shown."""
    return joined(string(mapping(card).get("fallback")) for card in items(message.get("attachments")))


def plain(text: str, users: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """Slack's markup as a person reads it: names for ids, labels for links, `<` for `&lt;`."""

    def shown(match: re.Match[str]) -> str:
        inside = match[1]
        if inside is None:
            return ENTITIES[match[0]]
        target, bar, label = inside.partition("|")
        label = _unescaped(label)
        if target.startswith("@"):
            return "@" + (users.get(target[1:]) or label.removeprefix("@") or target[1:])
        if target.startswith("#"):
            return "#" + (label or channels.get(target[1:]) or target[1:])
        if target[1:] in EVERYONE and target.startswith("!"):
            return "@" + target[1:]
        if target.startswith("!"):
            return label or "@" + target[1:].partition("^")[0]
        return label if bar and label else _unescaped(target)

    return MARKUP.sub(shown, text)


def _unescaped(text: str) -> str:
    return re.sub(r"&(?:amp|lt|gt);", lambda match: ENTITIES[match[0]], text)
