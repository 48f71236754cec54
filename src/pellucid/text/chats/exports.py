"""Exports of chats, as a person names them: files, folders and archives, their formats found by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pellucid.errors import InputError
from pellucid.text.chats.collect import Options
from pellucid.text.chats.discord import refuse_package
from pellucid.text.chats.entries import MEDIA, MOST_BYTES, entries_of
from pellucid.text.chats.files import File, read_file
from pellucid.text.chats.foreign import advice
from pellucid.text.chats.formats import FORMATS, Format, format_of
from pellucid.text.chats.record import Chats, Message, Unparsed
from pellucid.text.files import expand_home
from pellucid.text.readers.extract import NotTextSource
from pellucid.text.readers.tree import Entry
from pellucid.text.wording import plural

DateOrder = Literal["dmy", "mdy", "ymd"]
MIXED = "mixed"  # sources of several formats
MOST_NAMED = 3
HTML = (".html", ".htm")


def read_chats(
    sources: str | Path | Sequence[str | Path], format: str | None = None, date_order: str | None = None
) -> Chats:
    """All messages of exports.

    Args:
        sources: files, folders and zip archives; formats may differ. Nothing is unpacked to disk.
        format: a name of FORMATS, where the content does not tell it; files of other formats are left alone.
        date_order: "dmy", "mdy" or "ymd", for WhatsApp dates that can be read in two ways.

    Returns:
        The messages in the order of the sources; `format` is "mixed" if there are several.

    Raises:
        InputError: a source is missing, no chat, cut short, of another format than `format`, beyond bounds, or an
            archive that is damaged or hostile; or no messages are in them.
    """
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    _check(sources, format, date_order)
    found, notes, seen = list[Chats](), list[str](), set[Path | bytes]()
    for source in sources:
        path = _resolved(source)
        if path in seen:
            notes.append(f"{source} is named twice and read once")
            continue
        seen.add(path)
        found += _Source(source, format, seen).read(Options(date_order))
    formats = dict.fromkeys(chats.format for chats in found)
    messages, n_repeated = _united(found)
    unparsed = tuple(element for chats in found for element in chats.unparsed)
    notes += [note for chats in found for note in chats.notes]
    if n_repeated:
        stand = plural(n_repeated, "message stands", "messages stand")
        notes.append(f"{stand} in two of the exports, and in the chat once")
    if not messages:
        raise InputError(_no_messages(sources, formats, unparsed))
    return Chats(
        next(iter(formats)) if len(formats) == 1 else MIXED, messages, unparsed, tuple(dict.fromkeys(notes))
    )


def _resolved(source: str | Path) -> Path:
    try:
        return expand_home(Path(source)).resolve()
    except (OSError, ValueError, RuntimeError):  # no path at all, which is told when it is read
        return Path(source)


def _united(found: Sequence[Chats]) -> tuple[tuple[Message, ...], int]:
    """The messages of all; what an export repeats of one before it, as those of one chat do, is taken once."""
    messages, before, n_repeated = list[Message](), Counter[Message](), 0
    for chats in found:
        here = Counter[Message]()
        for message in chats.messages:
            here[message] += 1
            if message.time is not None and here[message] <= before[message]:
                n_repeated += 1
            else:
                messages.append(message)
        before |= here
    return tuple(messages), n_repeated


def _check(sources: Sequence[str | Path], format: str | None, date_order: str | None) -> None:
    if not sources:
        raise InputError("no export is named: give the file, the folder or the .zip of a chat")
    if format is not None and format not in FORMATS:
        raise InputError(
            f"there is no format {format!r}: --format takes {', '.join(FORMATS)}, or leave it away"
        )
    if date_order is not None and date_order not in get_args(DateOrder):
        raise InputError(f"there is no date order {date_order!r}: --date-order takes dmy, mdy or ymd")


def _no_messages(sources: Sequence[str | Path], formats: Iterable[str], unparsed: Sequence[Unparsed]) -> str:
    names = ", ".join(Path(source).name or str(source) for source in sources[:MOST_NAMED])
    first = ""
    if unparsed:
        parts = plural(len(unparsed), "part that was", "parts that were")
        first = f"; the first of {parts} not understood is {unparsed[0].text[:80]!r}"
    return (
        f"{names} holds no messages (read as {' and '.join(formats)}){first}: export the chat again, "
        "or say with --format what it is"
    )


@dataclass
class _Source:
    """One export, as it is named."""

    source: str | Path
    format: str | None
    seen: set[Path | bytes]  # fingerprints of what was read already
    notes: list[str] = field(default_factory=list)
    broken: list[tuple[str, InputError]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # files that hold no chat
    n_bytes: int = 0

    def read(self, options: Options) -> list[Chats]:
        entries = entries_of(self.source, self.notes)
        alone = len(entries) == 1
        files = [file for entry in entries if (file := self._decoded(entry, alone))]
        groups = self._sorted(files)
        if not groups:
            raise self._nothing(entries, files)
        read = [FORMATS[name].read(members, options) for name, members in groups.items()]
        return self._completed(read)

    def _decoded(self, entry: Entry, alone: bool) -> File | None:
        """None where an entry among several is no text, or is damaged."""
        if not alone and entry.path.suffix.lower() in MEDIA:
            return None
        data = entry.load()  # an archive that is not what it says is refused, all of it
        self.n_bytes += len(data)
        if self.n_bytes > MOST_BYTES:
            raise InputError(
                f"{self.source} holds more than {MOST_BYTES >> 20} MiB of text: give the files of the chats you want"
            )
        try:
            file = read_file(entry, data)
        except NotTextSource:
            if alone:
                raise
            self.others.append(entry.name)
            return None
        except InputError as error:
            if alone:
                raise
            self.broken.append((entry.name, error))
            return None
        refuse_package(file)
        return file

    def _sorted(self, files: Sequence[File]) -> dict[str, list[File]]:
        """The files by their format; with `--format`, those of it, or else those of none that is known."""
        groups, unknown = dict[str, list[File]](), list[File]()
        for file in files:
            known = self._format_of(file)
            if known is None:
                unknown.append(file)
            elif self._is_new(file, known):
                groups.setdefault(known.name, []).append(file)
        if self.format and self.format not in groups and unknown:
            groups, unknown = {self.format: unknown}, []
        elif self.format:
            unknown += [file for name, members in groups.items() if name != self.format for file in members]
            groups = {self.format: groups[self.format]} if self.format in groups else {}
        self.others += [file.name for file in unknown]
        return groups

    def _format_of(self, file: File) -> Format | None:
        if self.format and FORMATS[self.format].can_read(file):
            return FORMATS[self.format]
        return format_of(file)

    def _is_new(self, file: File, known: Format) -> bool:
        """Whether the same file was not read before; in Slack, equal tables may stand in two places."""
        if known.name == "slack":
            return True
        if file.digest in self.seen:
            self.notes.append(f"{file.name} holds the same as a file before it and is read once")
            return False
        self.seen.add(file.digest)
        return True

    def _completed(self, read: list[Chats]) -> list[Chats]:
        """With what was left alone or broken among the files told in the first."""
        if self.others:
            shown = ", ".join(self.others[:MOST_NAMED]) + (", …" if len(self.others) > MOST_NAMED else "")
            holds = plural(len(self.others), "file holds no chat and is", "files hold no chat and are")
            self.notes.append(f"{holds} left alone: {shown}")
        unparsed = tuple(Unparsed(name, None, str(error)) for name, error in self.broken)
        first = read[0]
        read[0] = Chats(
            first.format, first.messages, (*first.unparsed, *unparsed), (*first.notes, *self.notes)
        )
        return read

    def _nothing(self, entries: Sequence[Entry], files: Sequence[File]) -> InputError:
        """Why nothing can be read, in a sentence."""
        if self.broken:
            return self.broken[0][1]
        name = Path(self.source).name or str(self.source)
        for file in files:
            looks_like = format_of(file)
            if self.format and looks_like:
                return InputError(
                    f"{name} is not {FORMATS[self.format].title}: it looks like {looks_like.title}; "
                    f"leave --format away, or give --format {looks_like.name}"
                )
        if any(entry.path.suffix.lower() in HTML for entry in entries):
            return InputError(f"{name} is an export in HTML: export the chat again and choose JSON (or text)")
        advised = next(((file, told) for file in files if (told := advice(file))), None)
        if advised:
            return InputError(f"{advised[0].name} {advised[1]}")
        if not files:
            return InputError(f"{name} holds no file of text or JSON: give what the program exported")
        return InputError(
            f"{name} is no chat in a format that is read ({', '.join(FORMATS)}): if it is one of them, say which with "
            "--format; if it is text to learn from, give it to `pellucid train`, which reads plain text"
        )
