"""JSON and JSON lines: strings, or objects with a text; chats are fine-tuning data and not read here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pellucid.errors import InputError
from pellucid.text.decoding import decode, without_surrogates
from pellucid.text.documents import Document
from pellucid.text.readers.extract import Extract, NotTextSource
from pellucid.text.wording import plural

TEXT_FIELDS = ("text", "content", "body")
CHAT_FIELDS = ("messages", "conversations", "conversation", "mapping", "chats", "dialog", "dialogue", "turns")
INSTRUCTION_FIELDS = ("instruction", "input", "output")


class _NoText(ValueError):
    """An entry without a text."""


class _Chat(_NoText):
    """An entry that is a chat."""


def read_json_lines(data: bytes, name: str) -> Extract:
    """A document a line; lines without a text are left out and counted.

    Raises:
        InputError: no line holds a text.
    """
    text, note = decode(data, name)
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _documents(((f"line {number}", line) for number, line in lines), name, note, parse=_parse)


def read_json(data: bytes, name: str) -> Extract:
    """A document an entry of a list of texts; entries without one are left out and counted.

    Raises:
        InputError: not JSON, or no list (nor a single object) with texts.
    """
    text, note = decode(data, name)
    try:
        value = _parse(text)
    except _NoText as error:
        raise InputError(
            f"{name} is not JSON ({error}): if it holds an entry a line, name it .jsonl"
        ) from None
    entries = value if isinstance(value, list) else [value]
    numbered = ((f"entry {number}", entry) for number, entry in enumerate(entries, 1))
    return _documents(numbered, name, note, parse=lambda entry: entry)


def _documents(entries: Iterable[tuple[str, Any]], name: str, note: str | None, parse: Any) -> Extract:
    found, bad, chats = Extract(), list[str](), list[str]()
    for where, entry in entries:
        try:
            text = _text_of(parse(entry))
        except _Chat:
            chats.append(where)
        except _NoText as error:
            bad.append(f"{where}: {error}")
        else:
            found.documents.append(Document(without_surrogates(text), f"{name} {where}"))
    if chats and not found.documents:
        raise NotTextSource(
            f"{name} holds chats, not texts to train on: "
            "to train on its words as they stand, give each entry a field `text`"
        )
    if bad and not found.documents:
        raise NotTextSource(
            f"{name} holds no text that can be read ({bad[0]}): give strings, or objects with a field "
            f"{', '.join(TEXT_FIELDS[:-1])} or {TEXT_FIELDS[-1]}"
        )
    if bad:
        found.notes.append(f"{name}: {plural(len(bad), 'entry without a text is', 'entries without a text are')} "
                           f"left out, the first at {bad[0]}")  # fmt: skip
    if chats:
        found.notes.append(
            f"{name}: {plural(len(chats), 'chat is', 'chats are')} left out, the first at {chats[0]}"
        )
    if note:
        found.file_notes[note] = [name]
    return found


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except RecursionError:
        raise _NoText("it is nested too deep") from None
    except ValueError as error:
        raise _NoText(f"it is not JSON, {error}") from None


def _text_of(entry: Any) -> str:
    """Raises _NoText if there is none."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict):
        raise _NoText("it is neither a string nor an object")
    if isinstance(entry.get("text"), str):
        return entry["text"]
    if any(isinstance(entry.get(field), list | dict) for field in CHAT_FIELDS) or (
        "content" in entry and "role" in entry
    ):
        raise _Chat("it is a chat")
    for field in TEXT_FIELDS:
        if isinstance(entry.get(field), str):
            return entry[field]
    if isinstance(entry.get("instruction"), str) and isinstance(entry.get("output"), str):
        parts = [entry.get(field) for field in INSTRUCTION_FIELDS]
        return "\n\n".join(part.strip() for part in parts if isinstance(part, str) and part.strip()) + "\n"
    raise _NoText(f"it has no field {', '.join(TEXT_FIELDS[:-1])} or {TEXT_FIELDS[-1]}")
