"""Whether what a person names is a chat, or text like any other."""

from __future__ import annotations

import itertools
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pellucid.errors import InputError
from pellucid.text.chats.entries import MEDIA, entries_of
from pellucid.text.chats.files import read_file
from pellucid.text.chats.formats import format_of
from pellucid.text.files import expand_home, file_mode, read_beginning
from pellucid.text.readers.extract import NotTextSource
from pellucid.text.readers.tree import Entry

NAMES = frozenset(("chat.md", "index.md"))  # as signal-export calls a conversation; other .md are notes
SUFFIXES = frozenset((".txt", ".json", ".jsonl", ".ndjson", ".text", ".log", ""))
MOST_LOOKED_AT = 40  # files of a folder or an archive
BEGINNING = 1 << 16  # bytes of a file that tell lines of a chat from a book
FIELDS = re.compile(
    rb'"(?:role|from_id|date_unixtime|sender_name|senderName|current_node|author_id)"\s*:'
    rb'|"type"\s*:\s*"(?:personal_chat|private_\w+|public_\w+|saved_messages)"'
)


def holds_chat(sources: Iterable[str | Path]) -> bool:
    """Whether one of the sources is an export of a chat, by its content; addresses and named corpora are none.

    Raises:
        InputError: a source is an archive that is damaged or hostile.
    """
    return any(map(_is_chat, sources))


def _is_chat(source: str | Path) -> bool:
    path = expand_home(Path(source))
    mode = file_mode(path) if str(source).strip() and "\0" not in str(source) else None
    if mode is None or path.suffix.lower() in MEDIA:
        return False
    if stat.S_ISDIR(mode):
        try:
            return _any_chat(entries_of(source, []))
        except InputError:  # the readers of text skip what they cannot read in a folder
            return False
    entries = entries_of(source, [])
    if len(entries) == 1 and entries[0].path.suffix.lower() == path.suffix.lower():
        known = _by_beginning(path)
        return _any_chat(entries) or _was_chat(path, entries[0]) if known is None else known
    return _any_chat(entries)


def _any_chat(entries: Iterable[Entry]) -> bool:
    likely = (
        entry
        for entry in entries
        if entry.path.suffix.lower() in SUFFIXES or entry.path.name.lower() in NAMES
    )
    return any(_known(entry) for entry in itertools.islice(likely, MOST_LOOKED_AT))


def _known(entry: Entry) -> bool:
    try:
        return format_of(read_file(entry, entry.load())) is not None
    except InputError:
        return False


def _was_chat(path: Path, entry: Entry) -> bool:
    """Whether a file is JSON that cannot be read, with fields of a chat: reading it as one says what is wrong."""
    if not FIELDS.search(read_beginning(path, str(path), BEGINNING)):
        return False
    try:
        read_file(entry, entry.load())
    except NotTextSource:
        return False
    except InputError:
        return True
    return False


def _by_beginning(path: Path) -> bool | None:
    """Whether a file is a chat by its first lines; None where they do not tell, as in JSON that is cut."""
    data = read_beginning(path, str(path), BEGINNING)
    if len(data) == BEGINNING:
        data = data[: data.rfind(b"\n") + 1] or data  # a line that long is told by how it begins
    if not data:
        return None
    try:
        file = read_file(Entry(path.name, PurePosixPath(path.name), lambda: data), data)
    except InputError:
        return None
    known = format_of(file) is not None
    return known or (False if file.shape == "text" else None)
