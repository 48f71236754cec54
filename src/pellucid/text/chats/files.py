"""A file of an export, decoded: JSON, JSON a line, or lines of text."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from pellucid.errors import InputError
from pellucid.text.chats.record import Unparsed
from pellucid.text.decoding import decode
from pellucid.text.readers.extract import NotTextSource
from pellucid.text.readers.tree import Entry
from pellucid.text.wording import plural, size

LONGEST_LINE = 1 << 24  # bytes, of text and of JSON lines; a message has 65,536 characters at most
SHOWN = 500  # characters kept of what could not be read
ESCAPE = re.compile(r"\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4}|(x[0-9a-fA-F]{2})|(.))", re.DOTALL)


@dataclass(eq=False)
class File:
    """One decoded file.

    Attributes:
        name: what a person is told.
        path: where it is in the folder or the archive; its parents tell the conversation in some exports.
        shape: "json": `value` is what it holds; "lines": `rows` are; "text": `text` is.
        rows: number of the line from 1, and its value.
        unparsed: lines that are no JSON.
        notes: how it was decoded, in sentences.
        digest: SHA-256 of its bytes.
    """

    name: str
    path: PurePosixPath
    shape: Literal["json", "lines", "text"]
    text: str = ""
    value: Any = None
    rows: list[tuple[int, Any]] = field(default_factory=list)
    unparsed: list[Unparsed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    digest: bytes = b""

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def head(self) -> str:
        """The beginning of the text, by which a format of text is known."""
        return self.text[:20_000]


def read_file(entry: Entry, data: bytes) -> File:
    """The file of those bytes.

    Raises:
        NotTextSource: it is no text.
        InputError: it is JSON that is cut short or damaged, or has a line beyond bounds.
    """
    try:
        text, note = decode(data, entry.name)
    except InputError as error:
        raise NotTextSource(str(error)) from None
    file = File(entry.name, entry.path, "text", digest=hashlib.sha256(data).digest())
    if note:
        file.notes.append(f"{entry.name}: {note}")
    if not _begins_as_json(text):
        _refuse_long_lines(text, entry.name)
        file.text = text
        return file
    try:
        file.value, file.shape = _parse(text, entry.name), "json"
    except json.JSONDecodeError as error:
        _json_lines_or_repaired(file, text, error)
    return file


def shown(element: Any) -> str:
    """An element that could not be read, as a person may see it."""
    if isinstance(element, str):
        return element[:SHOWN]
    try:
        return json.dumps(element, ensure_ascii=False)[:SHOWN]
    except (RecursionError, ValueError):
        return repr(type(element))


def _begins_as_json(text: str) -> bool:
    """`[` begins lines of chats too: of JSON is what has a value behind it that no date is."""
    return re.match(r'\s*(?:\{\s*["}]|\[\s*[\[{"\]])', text) is not None


def _parse(text: str, name: str) -> Any:
    """Raises JSONDecodeError, or InputError for JSON that is beyond bounds."""
    try:
        return json.loads(text, strict=False)  # not strict: control characters as they are
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise InputError(f"{name} is JSON nested too deep to be a chat: export it again") from None
    except ValueError as error:  # numbers of thousands of digits
        raise InputError(f"{name} is no JSON of a chat ({error}): export it again") from None


def _json_lines_or_repaired(file: File, text: str, error: json.JSONDecodeError) -> None:
    first = next((line for line in text.split("\n") if line.strip()), "")
    try:
        json.loads(first, strict=False)
    except (ValueError, RecursionError):
        _repair(file, text, error)
        return
    _refuse_long_lines(text, file.name)
    file.shape = "lines"
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                file.rows.append((number, json.loads(line, strict=False)))
            except (ValueError, RecursionError):
                file.unparsed.append(Unparsed(file.name, number, shown(line)))


def _repair(file: File, text: str, error: json.JSONDecodeError) -> None:
    """Escapes that JSON does not know, such as `\\x1B`, are put right, and told."""
    count = 0

    def mended(match: re.Match[str]) -> str:
        nonlocal count
        hexadecimal, other = match.groups()
        if hexadecimal is None and other is None:
            return match[0]
        count += 1
        return f"\\u00{hexadecimal[1:]}" if hexadecimal else f"\\\\{other}"

    repaired = ESCAPE.sub(mended, text)
    try:
        file.value, file.shape = _parse(repaired, file.name), "json"
    except json.JSONDecodeError as other:
        raise InputError(_broken(file.name, repaired, other if count else error)) from None
    wrong = plural(count, "escape that JSON does not know was", "escapes that JSON does not know were")
    file.notes.append(f"{file.name}: {wrong} put right")


def _broken(name: str, text: str, error: json.JSONDecodeError) -> str:
    place = f"line {error.lineno:,}, character {error.colno:,}"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return (
            f"{name} is JSON that is cut short: it ends at line {text.count(chr(10)) + 1:,}, after "
            f"{len(text):,} characters, in the middle of what began at {place}: export it again, or copy it whole"
        )
    return f"{name} is damaged JSON ({error.msg} at {place}): export it again"


def _refuse_long_lines(text: str, name: str) -> None:
    start, number = 0, 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        if end - start > LONGEST_LINE:
            raise InputError(
                f"{name} has a line of {size(end - start)} (line {number:,}), and lines of a chat have up to "
                f"{size(LONGEST_LINE)}: this is no chat export, or its line ends were lost; export it again"
            )
        start = end + 1
