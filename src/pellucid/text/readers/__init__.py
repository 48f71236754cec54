"""Formats become text: a small module each, and the table that says which suffix is read by which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath

from pellucid.errors import InputError
from pellucid.text.readers.archive import Archive
from pellucid.text.readers.docx import read_docx
from pellucid.text.readers.epub import read_epub
from pellucid.text.readers.extract import Extract, NotTextSource
from pellucid.text.readers.html import read_html
from pellucid.text.readers.json_lines import read_json, read_json_lines
from pellucid.text.readers.markdown import read_markdown
from pellucid.text.readers.parquet import read_parquet
from pellucid.text.readers.pdf import read_pdf
from pellucid.text.readers.plain import read_text, unpack_gzip
from pellucid.text.readers.substack import take_substack
from pellucid.text.readers.tree import Entry, archive_entries, read_entries

Reader = Callable[[bytes, str], Extract]
"""Takes the bytes of a file, and what to call it; raises InputError if they cannot be read."""

MOST_BYTES = 2 << 30  # a file is held in memory several times over while it is read


def read_zip(data: bytes, name: str) -> Extract:
    """What the files in a zip archive hold, as if they were in a folder.

    Raises:
        InputError: not a zip archive, damaged, or nothing in it can be read.
    """
    found = Extract()
    for extract in read_tree(archive_entries(data, name), name):
        found.add(extract)
    if found.documents:
        return found
    if found.unreadable:
        raise InputError(f"{name} holds no text that can be read. {found.unreadable[0][1]}")
    raise NotTextSource(f"{name} holds no text: files ending in {', '.join(TEXT_SUFFIXES)} are read")


def read_gzip(data: bytes, name: str) -> Extract:
    """The one file in `data`, read by its own suffix: that of `book.txt.gz` is .txt."""
    inner = name[: -len(".gz")] if name.lower().endswith(".gz") else name
    if PurePath(inner).suffix.lower() in (".zip", ".gz", ".tar"):
        raise InputError(f"{name} is an archive in an archive: unpack it and give the files inside")
    return extract(unpack_gzip(data, name, MOST_BYTES), inner)


READERS: dict[str, Reader] = {
    **dict.fromkeys((".txt", ".text"), read_text),
    **dict.fromkeys((".md", ".markdown"), read_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    **dict.fromkeys((".jsonl", ".ndjson"), read_json_lines),
    ".json": read_json,
    ".epub": read_epub,
    ".docx": read_docx,
    ".pdf": read_pdf,
    ".parquet": read_parquet,
    ".zip": read_zip,
    ".gz": read_gzip,
}
TEXT_SUFFIXES = tuple(READERS)
OTHER_FORMATS = frozenset(
    (
        *(".doc", ".odt", ".rtf", ".mobi", ".azw3", ".ppt", ".pptx", ".xls", ".xlsx"),
        *(".bz2", ".xz", ".7z", ".rar", ".tar", ".tgz", ".png", ".jpg", ".jpeg", ".gif", ".webp"),
        *(".mp3", ".mp4", ".wav", ".safetensors", ".gguf", ".pt", ".pth", ".bin", ".npy", ".npz"),
        *(".exe", ".dll", ".so"),
    )
)


def extract(data: bytes, name: str, suffix: str | None = None) -> Extract:
    """The documents in a file, by its suffix; one of no known suffix is read as plain text.

    Args:
        suffix: in lower case; that of `name`, unless it is given.

    Raises:
        InputError: it cannot be read, or holds no text.
    """
    suffix = PurePath(name).suffix.lower() if suffix is None else suffix
    refuse_other_formats(name, suffix)
    reader = READERS.get(suffix) or _by_content(data, name)
    found = reader(data, name)
    kept = [document for document in found.documents if document.text.strip()]
    if not kept:
        raise InputError(f"{name} is empty: there is no text in it to learn from")
    found.n_empty += len(found.documents) - len(kept)
    found.documents = kept
    found.n_files = found.n_files or 1
    return found


def refuse_other_formats(name: str, suffix: str) -> None:
    """Raises InputError if `suffix` is that of a format which is known not to be text."""
    if suffix in OTHER_FORMATS:
        raise InputError(
            f"{name} cannot be read: {', '.join(TEXT_SUFFIXES)} are; export the {suffix} file as plain text (.txt)"
        )


def read_tree(entries: Sequence[Entry], where: str) -> Iterator[Extract]:
    """What the files of a folder or archive hold, an extract each; exports of Substack are read as one."""
    exports, entries = take_substack(entries)
    for export in exports:
        yield from export.read()
    yield from read_entries(entries, where, TEXT_SUFFIXES, extract)


def _by_content(data: bytes, name: str) -> Reader:
    """For a file whose name does not say, as addresses often do not."""
    if data.startswith(b"%PDF-"):
        return read_pdf
    if not data.startswith(b"PK\x03\x04"):
        return read_text
    archive = Archive(data, name)
    return (
        read_epub
        if "META-INF/container.xml" in archive
        else read_docx
        if "word/document.xml" in archive
        else read_zip
    )
