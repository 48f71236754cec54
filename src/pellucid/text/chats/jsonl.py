"""The neutral form of docs/chat-format.md, written and read; and the forms that training data come in."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pellucid.errors import InputError
from pellucid.text.chats.collect import LONGEST_TEXT, Collector, Options, iso_time, items, mapping, string
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats, Kind, Message
from pellucid.text.decoding import without_surrogates

NEUTRAL, MESSAGES, SHAREGPT, ALPACA = "jsonl", "messages", "sharegpt", "alpaca"
KINDS = frozenset(get_args(Kind))
SIDES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
ROLES = ("user", "assistant")
INSTRUCTIONS = ("system", "developer")
TOOLS = ("tool", "function", "observation", "function_call", "tool_call")
TURNS = {"messages": MESSAGES, "conversations": SHAREGPT, "conversation": SHAREGPT, "items": SHAREGPT}
CALLS = ("tool_calls", "function_call")
PEEK = 50  # rows by which a form is known


def form_of(row: Any) -> str | None:
    """Which form an object has; None if it is no chat."""
    row = mapping(row)
    if {"conversation", "author", "text"} <= row.keys() and isinstance(row["text"], str):
        return NEUTRAL
    for field, form in TURNS.items():
        first = mapping(next(iter(items(row.get(field))), None))
        if {"role", "content"} <= first.keys():
            return MESSAGES
        if {"from", "value"} <= first.keys():
            return form
    return ALPACA if {"instruction", "output"} <= row.keys() and "mapping" not in row else None


def recognises(form: str, file: File) -> bool:
    return next((known for _, row in _rows(file, PEEK) if (known := form_of(row))), None) == form


def _rows(file: File, most: int | None = None) -> Iterator[tuple[int | None, Any]]:
    """Line and value of what stands in the file; turns that stand alone are one conversation."""
    if file.shape == "text":
        return
    pairs = file.rows if file.shape == "lines" else [(None, row) for row in _list(file.value)]
    if pairs and {"role", "content"} <= mapping(pairs[0][1]).keys():
        yield pairs[0][0], {"messages": [row for _, row in pairs]}
    else:
        yield from pairs[:most]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def read(form: str, files: Sequence[File], options: Options) -> Chats:
    """Every row is read in its own form; `form` is that of the first."""
    found = Collector(form)
    readers: dict[str | None, Callable[[Collector, str, Any, str, int | None], None]] = {
        NEUTRAL: _read_neutral,
        MESSAGES: _read_turns,
        SHAREGPT: _read_turns,
        ALPACA: _read_instruction,
    }
    for file in files:
        found.begin(file)
        if file.shape == "text" and file.text.strip():
            found.fail(file.name, file.text)
        for number, (line, row) in enumerate(_rows(file), 1):
            reader = readers.get(form_of(row))
            if reader is None:
                found.fail(file.name, row, line)
                continue
            name = string(row.get("id")) or string(row.get("conversation_id")) or f"{file.stem} {number}"
            if reader is not _read_neutral:
                name = found.conversation(name, (file.path, number))
            reader(found, name, row, file.name, line)
    return found.done()


def _read_neutral(found: Collector, conversation: str, row: Any, source: str, line: int | None) -> None:
    time, author, kind = row.get("time"), row.get("author"), row.get("kind", "text")
    author_id = row.get("author_id", author)
    moment = iso_time(time)
    strings = isinstance(row["conversation"], str) and all(
        value is None or isinstance(value, str) for value in (author, author_id)
    )
    if (
        not strings
        or kind not in KINDS
        or (time is not None and moment is None)
        or len(row["text"]) > LONGEST_TEXT
    ):
        found.fail(source, row, line)
        return
    author_id, author = (None if name is None else without_surrogates(name) for name in (author_id, author))
    conversation, text = without_surrogates(row["conversation"]), without_surrogates(row["text"])
    found.messages.append(Message(conversation, moment, author_id, author, text, kind))


def _read_turns(found: Collector, conversation: str, row: Any, source: str, line: int | None) -> None:
    """`messages` of role and content, or `conversations` of from and value."""
    if isinstance(row.get("system"), str) and row["system"].strip():  # instructions beside the turns
        found.add(conversation, None, "system", None, row["system"], "system", source=source, line=line)
    for turn in next(row[field] for field in TURNS if items(row.get(field))):
        turn = mapping(turn)
        role, content = turn.get("role", turn.get("from")), _said(turn)
        if not isinstance(role, str) or content is None or not role:
            found.fail(source, turn, line)
            continue
        role, time = _side(role), iso_time(turn.get("time"))
        if _calls(turn) and not content.strip():
            found.system(conversation, time, json.dumps(_calls(turn), ensure_ascii=False)[:LONGEST_TEXT])
        elif role in INSTRUCTIONS:
            found.add(conversation, time, "system", None, content, "system", source=source, line=line)
        elif role in TOOLS:
            found.system(conversation, time, content)
        else:
            found.add(conversation, time, role, role, content, source=source, line=line)


def _side(role: str) -> str:
    """The name of a side that is known, in any case; any other as it is."""
    low = role.lower()
    return SIDES.get(low, low if low in (*ROLES, *INSTRUCTIONS, *TOOLS) else role)


def _calls(turn: dict[str, Any]) -> Any:
    """What tools are called in a turn."""
    return next((turn[field] for field in CALLS if turn.get(field)), None)


def _said(turn: dict[str, Any]) -> str | None:
    """The words of a turn; none where a tool is called, and None where nothing is there that can be read."""
    content = _content(turn.get("content", turn.get("value")))
    if content is None and isinstance(turn.get("refusal"), str):
        return turn["refusal"]
    return "" if content is None and _calls(turn) else content


def _content(value: Any) -> str | None:
    """A string, or the texts among parts; None where there are none, as where a tool is called."""
    if isinstance(value, str):
        return value
    texts = [mapping(part).get("text") for part in items(value)]
    words = [text for text in texts if isinstance(text, str)]
    return "\n".join(words) if words else None


def _read_instruction(found: Collector, conversation: str, row: Any, source: str, line: int | None) -> None:
    """`instruction`, with `input` behind an empty line, is the user's; `output` the assistant's.

    `history` holds what was asked and answered before, in pairs.
    """
    parts = (row["instruction"], row.get("input") or "", row["output"], row.get("system") or "")
    before = list[Any]()
    for pair in items(row.get("history")):
        before += pair if len(items(pair)) == len(ROLES) else [None]
    if not all(isinstance(part, str) for part in (*parts, *before)):
        found.fail(source, row, line)
        return
    instruction, given, output, system = parts
    asked = "\n\n".join(part for part in (instruction, given) if part.strip())
    if system:
        found.add(conversation, None, "system", None, system, "system", source=source, line=line)
    for number, text in enumerate((*before, asked, output)):
        side = ROLES[number % 2]
        found.add(conversation, None, side, side, text, source=source, line=line)


# ---------------------------------------------------------------------- writing


def neutral(message: Message) -> dict[str, Any]:
    """The object of a message, in the order of the specification."""
    return {
        "conversation": message.conversation,
        "time": message.time.isoformat() if message.time else None,
        "author_id": message.author_id,
        "author": message.author,
        "text": message.text,
        "kind": message.kind,
    }


def write_neutral(messages: Iterable[Message], path: str | Path) -> None:
    """Writes one object a line, in UTF-8; the file is whole or not there.

    Raises:
        InputError: the folder cannot be written, or `path` is a folder.
    """
    path = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
            partial_file = Path(folder) / "chat.jsonl"
            with partial_file.open("w", encoding="utf-8", newline="\n") as file:
                for message in messages:
                    line = json.dumps(neutral(message), ensure_ascii=False)
                    file.write(without_surrogates(line) + "\n")
            partial_file.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}): choose another place with --jsonl"
        ) from error
