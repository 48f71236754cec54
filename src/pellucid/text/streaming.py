"""Documents from files of any size, in chunks: what `sources.read` gives, without holding it in memory.

Large files of plain text are decoded, cut into documents and tidied as they are read, to the same characters as if
they were read whole. All else (small files, other formats, named corpora, books of Project Gutenberg) is read whole by
its reader, one file at a time.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pellucid.errors import InputError
from pellucid.text.decoding import BYTE_ORDER_MARKS, encoding_note, refuse_binary
from pellucid.text.documents import SEPARATOR, Progress, count_bytes
from pellucid.text.listing import Item, by_group
from pellucid.text.readers import Extract
from pellucid.text.sources import DocumentStream, stream

CHUNK = 1 << 18  # characters: longer documents come in chunks of exactly this, others whole
# bytes read from a file at a time: strings of a megabyte would leave gaps of 200 MB in memory
BLOCK = 1 << 16
HEAD = 1 << 20  # bytes by which a file is judged to be text
LARGE = 4 << 20  # bytes: files up to this are read whole
MOST_BOOK = 64 << 20  # bytes: a larger file is no book of Project Gutenberg, and has no header to leave out
LONG_LINE = 1 << 16  # characters: a line that holds only the separator is shorter
MOST_BLANK = 64 << 20  # characters that a document may begin with before it says anything
LONG_BOOK = (
    f"Project Gutenberg is mentioned, and files of more than {MOST_BOOK >> 20} MiB are not searched for its "
    "headers and licences, so that these are kept where there are any"
)

Chunk = tuple[str, bool]  # text, and whether its document ends there
Watch = Callable[[int], object]  # hears how many more bytes were read


@dataclass(frozen=True)
class TextFile:
    """A large file of plain text."""

    path: Path
    name: str
    encoding: str
    errors: str
    separated: bool  # lines of `<|endoftext|>` stand between its documents

    def chunks(
        self, watch: Watch | None = None, empty_document: Callable[[], object] | None = None
    ) -> Iterator[Chunk]:
        """All of its documents; `empty_document` is called where one is left out.

        Raises:
            InputError: the file holds no text, or can no longer be read.
        """
        empty = True
        blocks = _decoded(_raw_blocks(self.path, self.name, watch), self.encoding, self.errors)
        for chunk in cut_documents(blocks, self.separated, self.name, empty_document):
            empty = False
            yield chunk
        if empty:
            raise InputError(f"{self.name} is empty: there is no text in it to learn from")


@dataclass(frozen=True)
class WholeSource:
    """What is read whole."""

    item: Item

    def chunks(self, watch: Watch | None = None) -> Iterator[Chunk]:
        """One chunk a document."""
        for found in self.item.read():
            for document in found.documents:
                yield document.text, True


@dataclass(frozen=True)
class Inventory:
    """What streaming through all documents once has shown, and the way to do it again.

    lengths is (N,) unsigned integers, characters of each document; long_bytes has the UTF-8 bytes of those that come in
    more than one chunk.
    """

    name: str
    sources: tuple[TextFile | WholeSource, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    lengths: np.ndarray
    n_bytes: int
    long_bytes: dict[int, int]

    @property
    def n_characters(self) -> int:
        return int(self.lengths.sum(dtype=np.uint64))

    def chunks(self) -> Iterator[Chunk]:
        """All documents again."""
        for source in self.sources:
            yield from source.chunks()


def take_inventory(
    sources: str | Path | Sequence[str | Path],
    *,
    progress: Progress | None = None,
    watch: Callable[[int, int], object] | None = None,
) -> Inventory:
    """Find, inspect and count the documents that `sources` name, as `sources.read` would read them.

    Args:
        watch: hears how many bytes of how many have been read.

    Raises:
        InputError: a source is missing, empty or not text.
    """
    reading = stream(sources, progress=progress, in_pieces=True)
    items = list(reading.items)
    counting = _Counting(reading, sum(2 * _size(item) for item in items), watch)
    for item in by_group(items):
        counting.add(item)
    return Inventory(
        reading.name,
        tuple(counting.sources),
        tuple(counting.files),
        reading.notes,
        _compact(counting.lengths),
        counting.n_bytes,
        counting.long_bytes,
    )


class _Counting:
    """An inventory as it is taken."""

    def __init__(
        self, reading: DocumentStream, total: int, watch: Callable[[int, int], object] | None
    ) -> None:
        self.reading = reading
        self.total, self.done, self.watch = total, 0, watch
        self.sources = list[TextFile | WholeSource]()
        self.files = list[Path]()
        self.lengths = array("Q")
        self.long_bytes: dict[int, int] = {}
        self.n_bytes = 0

    def add(self, item: Item) -> None:
        n_before = len(self.lengths)
        source = self._read(item)
        if source and len(self.lengths) > n_before:
            self.sources.append(source)
            self.files += item.paths

    def _read(self, item: Item) -> TextFile | WholeSource | None:
        """Count what is in an item, and say how it was read; None if that is not possible."""
        n_documents, n_bytes = len(self.lengths), self.n_bytes
        try:
            source, notes = inspect(item, self._advance)
            if isinstance(source, TextFile):
                found = Extract(file_notes={note: [item.name] for note in notes}, n_files=1)
                self._count(source.chunks(self._advance, partial(_count_empty, found)))
                self.reading.summary.add(found)
                if item.group:
                    item.group.has_text = True
                return source
        except InputError as error:
            self.reading.leave_out(item, error)
            del self.lengths[n_documents:]  # what had been counted before it could not be read on
            self.n_bytes = n_bytes
            self.long_bytes = {k: v for k, v in self.long_bytes.items() if k < n_documents}
            return None
        self._count((document.text, True) for document in self.reading.take(item))
        self._advance(2 * _size(item))
        return source

    def _count(self, chunks: Iterable[Chunk]) -> None:
        length = n_bytes = n_chunks = 0
        for text, ends in chunks:
            length += len(text)
            n_bytes += count_bytes(text)
            n_chunks += 1
            if ends:
                if n_chunks > 1:
                    self.long_bytes[len(self.lengths)] = n_bytes
                self.lengths.append(length)
                self.n_bytes += n_bytes
                length = n_bytes = n_chunks = 0

    def _advance(self, n_bytes: int) -> None:
        self.done += n_bytes
        if self.watch:
            self.watch(self.done, self.total)


# ---------------------------------------------------------------------- inspecting a file


def inspect(item: Item, watch: Watch | None = None) -> tuple[TextFile | WholeSource, list[str]]:
    """How to read an item, and notes on it; large files are gone through once, in bounded memory.

    Raises:
        InputError: it is not text, or cannot be read.
    """
    path, name = item.paths[0] if item.is_plain else None, item.name
    if path is None or not _is_large_text(path) or _begins_as_another(path, name):
        return WholeSource(item), []
    mark = _mark(path, name)
    wide = mark if mark in ("utf-16", "utf-32") else None
    encoding, errors = (wide, "replace") if wide else ("utf-8-sig", "strict")
    note = None
    try:
        separated, is_book = _scan(_decoded(_raw_blocks(path, name, watch, not wide), encoding, errors))
        if wide:
            note = encoding_note(encoding.upper(), _count_broken(path, name, encoding)[0])
    except UnicodeDecodeError:
        encoding, note = _guess(path, name, mark)
        errors = "replace"
        separated, is_book = _scan(_decoded(_raw_blocks(path, name), encoding, errors))
    if is_book and path.stat().st_size <= MOST_BOOK:
        return WholeSource(item), []
    notes = [note] if note else []
    return TextFile(path, name, encoding, errors, separated), notes + [LONG_BOOK] * is_book


def _is_large_text(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > LARGE


def _begins_as_another(path: Path, name: str) -> bool:
    """Whether it is a PDF document or an archive, whose reader says what is to be said."""
    return next(_raw_blocks(path, name), b"").startswith((b"%PDF-", b"PK\x03\x04"))


def _mark(path: Path, name: str) -> str | None:
    """The encoding that a byte order mark names; without one, or with UTF-8's, what is no text is refused."""
    head = b"".join(itertools.islice(_raw_blocks(path, name), max(1, HEAD // BLOCK)))
    mark = next((encoding for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), None)
    if mark in (None, "utf-8"):
        refuse_binary(head, name)
    return mark


def _scan(blocks: Iterable[str]) -> tuple[bool, bool]:
    """Whether separators stand in a text, and whether it mentions what Project Gutenberg's markers do."""
    separated = is_book = False
    for text in _whole_lines(blocks):
        separated = separated or SEPARATOR.search(text) is not None
        is_book = is_book or "gutenberg" in (lower := text.lower()) or "the small print" in lower
    return separated, is_book


def _guess(path: Path, name: str, mark: str | None) -> tuple[str, str]:
    """The encoding of what is not sound UTF-8, chosen as `decoding.decode` does, and a note of it."""
    broken, right = _count_broken(path, name, "utf-8-sig")
    if mark == "utf-8" or right > broken:
        return "utf-8-sig", encoding_note("UTF-8", broken)
    return "cp1252", encoding_note("Windows-1252", _count_broken(path, name, "cp1252")[0])


def _count_broken(path: Path, name: str, encoding: str) -> tuple[int, int]:
    """How many byte sequences have no meaning in an encoding, and how many characters beyond ASCII there are."""
    replacing, ignoring = (codecs.getincrementaldecoder(encoding)(errors) for errors in ("replace", "ignore"))
    broken = right = 0
    for block in itertools.chain(_raw_blocks(path, name), [b""]):
        text, sound = replacing.decode(block, not block), ignoring.decode(block, not block)
        broken += text.count("\ufffd") - sound.count("\ufffd")
        right += len(sound) - len(sound.encode("ascii", "ignore"))
    return broken, right


# ---------------------------------------------------------------------- from bytes to documents


def _raw_blocks(
    path: Path, name: str, watch: Watch | None = None, refuse_nul: bool = False
) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                if refuse_nul and b"\0" in block:
                    refuse_binary(b"\0", name)
                yield block
                if watch:
                    watch(len(block))
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror or error}): check its permissions"
        ) from error


def _decoded(blocks: Iterable[bytes], encoding: str, errors: str) -> Iterator[str]:
    """The text of `blocks`, with `\\n` for all kinds of newlines."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(errors), translate=True)
    for block in blocks:
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _whole_lines(blocks: Iterable[str]) -> Iterator[str]:
    """The same text in blocks of whole lines, so that no separator is cut in two; long lines may be cut."""
    rest = ""
    for block in blocks:
        text = rest + block
        end = text.rfind("\n") + 1
        if len(text) - end > LONG_LINE:  # before a character that no separator begins with
            end = max(end, len(text.rstrip(" \t<")) - 1)
        yield text[:end]
        rest = text[end:]
    yield rest


def cut_documents(
    blocks: Iterable[str], separated: bool, name: str, empty_document: Callable[[], object] | None = None
) -> Iterator[Chunk]:
    """The documents of a text that arrives in blocks, blank ones left out.

    Args:
        separated: whether lines of `<|endoftext|>` stand between them; each then ends with one newline.
        empty_document: called for each that is left out, but for blanks after the last separator.

    Raises:
        InputError: nothing but blanks for longer than is sensible.
    """
    text, begun = "", False  # of the document at hand: what is not given out yet, and whether some of it is
    for block in _whole_lines(blocks) if separated else blocks:
        *ended, rest = SEPARATOR.split(block) if separated else (block,)
        for piece in ended:
            last = list(_last_chunk(text + piece, begun, separated))
            if empty_document and not last:
                empty_document()
            yield from last
            text, begun = "", False
        text += rest
        while len(text) > CHUNK and (begun or not text.isspace()):
            if separated:
                text = text if begun else text.lstrip("\n")
                if len(text.rstrip("\n")) <= CHUNK:
                    break  # newlines at the end of a document are not given out
            yield text[:CHUNK], False
            text, begun = text[CHUNK:], True
        if len(text) > MOST_BLANK:
            raise InputError(f"{name} holds {MOST_BLANK >> 20} million blanks in a row: remove them")
    yield from _last_chunk(text, begun, separated)


def _last_chunk(text: str, begun: bool, separated: bool) -> Iterator[Chunk]:
    if separated:
        text = (text if begun else text.lstrip("\n")).rstrip("\n") + "\n"
    if begun or (text and not text.isspace()):
        yield text, True


def _count_empty(found: Extract) -> None:
    found.n_empty += 1


def _size(item: Item) -> int:
    total = 0
    for path in item.paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _compact(lengths: array[int]) -> np.ndarray:
    """As NumPy's integers, in half the memory where that is enough."""
    values = np.frombuffer(lengths, np.uint64) if lengths else np.empty(0, np.uint64)
    return values.astype(np.uint32 if not len(values) or values.max() < 1 << 32 else np.uint64)
