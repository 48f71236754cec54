"""ChatGPT's conversations.json: a tree of messages each, read along the branch that was last shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pellucid.text.chats.collect import Collector, Options, items, mapping, string, unix_time
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind

NAME = "chatgpt"
WORDS = ("text", "multimodal_text", "code", None)  # types of content that hold what was said
SOUNDS = ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer")  # beside what was said aloud
MARK = re.compile("( ?)\ue200([^\ue200\ue201]*)\ue201")  # where the page shows a source, a place, a person


def recognises(file: File) -> bool:
    return any(
        "mapping" in mapping(chat) or "current_node" in mapping(chat) for chat in _list(file.value)[:20]
    )


def _list(value: Any) -> list[Any]:
    """The conversations: a list, or one alone."""
    if isinstance(value, dict) and isinstance(value.get("conversations"), list):
        return value["conversations"]
    return value if isinstance(value, list) else [value]


def read(files: Sequence[File], options: Options) -> Chats:
    found = Collector(NAME)
    for file in files:
        found.begin(file)
        for number, chat in enumerate(_list(file.value), 1):
            nodes = mapping(chat).get("mapping")
            if not isinstance(nodes, dict) or not isinstance(chat, dict):
                found.fail(file.name, chat, None)
                continue
            identity = string(chat.get("conversation_id")) or string(chat.get("id")) or (file.name, number)
            conversation = found.conversation(string(chat.get("title")) or "New chat", identity)
            for message in branch(nodes, chat.get("current_node")):
                _read(found, conversation, message, file.name)
    return found.done()


def branch(nodes: dict[str, Any], current: Any) -> Iterator[Any]:
    """The messages from the root to `current`, as it was last shown.

    `children[0]` would take answers that were made anew. Where `current` is missing, the newest leaf stands for it.
    """
    if not isinstance(current, str) or current not in nodes:
        leaves = [name for name, node in nodes.items() if not items(mapping(node).get("children"))]
        current = max(leaves, key=lambda name: _moment(nodes[name]), default=next(reversed(nodes), None))
    path, seen = list[Any](), set[str]()
    while isinstance(current, str) and current in nodes and current not in seen:
        seen.add(current)
        node = mapping(nodes[current])
        if node.get("message") is not None:
            path.append(node["message"])
        current = node.get("parent")
    return reversed(path)


def _moment(node: Any) -> float:
    time = mapping(mapping(node).get("message")).get("create_time")
    return time if isinstance(time, int | float) and time == time else 0.0


def _read(found: Collector, conversation: str, message: Any, source: str) -> None:
    role = mapping(mapping(message).get("author")).get("role")
    content = mapping(mapping(message).get("content"))
    if not isinstance(role, str) or not content:
        found.fail(source, message)
        return
    text, has_files = _text(content)
    time = unix_time(message.get("create_time")) or unix_time(message.get("update_time"))
    hidden = mapping(message.get("metadata")).get("is_visually_hidden_from_conversation")
    hidden = hidden or message.get("channel") == "analysis"
    said = role in ("user", "assistant") and content.get("content_type") in WORDS and not hidden
    if not said or string(message.get("recipient"), "all") != "all" or not (text.strip() or has_files):
        if text.strip():  # instructions, tools and thoughts; empty nodes only hold the tree together
            found.system(conversation, time, text)
        return
    kind: Kind = "media" if has_files else "text"
    found.add(conversation, found.time_or_none(time), role, role, text or "<file>", kind, source=source)


def _text(content: dict[str, Any]) -> tuple[str, bool]:
    """The strings among the parts, and whether others (pictures, sounds) are among them."""
    if isinstance(content.get("text"), str):
        return _without_marks(content["text"]), False
    words, has_files = list[str](), False
    for part in items(content.get("parts")):
        if isinstance(part, str):
            words.append(part)
        elif isinstance(mapping(part).get("text"), str):  # what was said aloud, written down
            words.append(part["text"])
        else:
            is_video = bool(mapping(part).get("video_container_asset_pointer"))
            is_sound = mapping(part).get("content_type") in SOUNDS and not is_video
            has_files |= not is_sound and part is not None
    return _without_marks("\n".join(word for word in words if word)), has_files


def _without_marks(text: str) -> str:
    """With the words that the page shows for marks: names, labels of links, and for sources nothing."""

    def shown(match: re.Match[str]) -> str:
        kind, *fields = match[2].split("\ue202")
        if kind == "url" and fields:
            return match[1] + fields[0]
        if kind != "entity" or not fields:
            return ""
        try:
            return match[1] + string(json.loads(fields[0])[1])
        except (ValueError, LookupError, TypeError, RecursionError):
            return ""

    return MARK.sub(shown, text) if "\ue200" in text else text
