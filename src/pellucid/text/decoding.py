"""Bytes become text, whatever wrote them: UTF-8, UTF-16 or UTF-32 with a byte order mark, Windows-1252."""

from __future__ import annotations

import codecs
import contextlib

from pellucid.errors import InputError

# UTF-32 first: its little-endian mark begins with UTF-16's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

MAGIC = (
    (b"PK\x03\x04", "a zip archive (.docx, .epub and .xlsx are zip archives too)"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "a rich text document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"SQLite format 3", "a database"),
)

# all but tab to carriage return, and escape
CONTROLS = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
MOST_CONTROLS = (
    0.05  # random bytes hold 0.1 of them, text none: terminal recordings and old word processors a few
)


def decode(data: bytes, name: str, declared: str | None = None) -> tuple[str, str | None]:
    """The text in `data`, with `\\n` for newlines and no lone surrogates, and a note if anything was guessed.

    UTF-8 that is broken in fewer places than it is right is read as UTF-8, since reading it as Windows-1252
    would spoil every accent. All else that is not UTF-8 is read as Windows-1252, a superset of Latin-1 that
    gives every byte but five a meaning. Bytes without a meaning become U+FFFD and are counted in the note.

    Args:
        name: what errors call the source of `data`.
        declared: the codec that `data` says it is in, used where there is no byte order mark and it fits.

    Raises:
        InputError: the bytes are not text.
    """
    encoding = next((encoding for mark, encoding in BYTE_ORDER_MARKS if data.startswith(mark)), None)
    if encoding in ("utf-16", "utf-32"):
        text = data.decode(encoding, "replace")
        return newlines(text), encoding_note(
            encoding.upper(), _replaced(text, data.decode(encoding, "ignore"))
        )
    refuse_binary(data, name)
    data = data.removeprefix(codecs.BOM_UTF8)
    with contextlib.suppress(UnicodeDecodeError):
        if encoding is None and declared is not None:
            return newlines(data.decode(declared)), None
    with contextlib.suppress(UnicodeDecodeError):
        return newlines(data.decode("utf-8")), None
    text, right = data.decode("utf-8", "replace"), data.decode("utf-8", "ignore")
    broken = _replaced(text, right)
    if encoding == "utf-8" or sum(not character.isascii() for character in right) > broken:
        return newlines(text), encoding_note("UTF-8", broken)
    text = data.decode("cp1252", "replace")
    return newlines(text), encoding_note("Windows-1252", text.count("\ufffd"))


def newlines(text: str) -> str:
    """`text` with `\\n` for the line ends of Windows and of old Macs."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def without_surrogates(text: str) -> str:
    """`text` with halves of pairs put together, and lone ones, which no file can hold, as U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def refuse_binary(data: bytes, name: str) -> None:
    """Raises InputError if `data` is a known binary format, or holds NULs or too many control characters."""
    for magic, kind in MAGIC:
        if data.startswith(magic):
            raise InputError(f"{name} is {kind}, not text: export it as plain text (.txt) and give that file")
    if b"\0" in data:
        raise InputError(
            f"{name} is not text (it holds NUL bytes): give a text file, or, if it is text in UTF-16 "
            "without a byte order mark, save it as UTF-8"
        )
    sample = data[: 1 << 20]
    if len(sample) - len(sample.translate(None, CONTROLS)) > MOST_CONTROLS * len(sample):
        raise InputError(
            f"{name} is not text (more than {MOST_CONTROLS:.0%} are control characters): give a text file"
        )


def _replaced(text: str, ignored: str) -> int:
    """How many U+FFFD `errors="replace"` put into `text`; `ignored` is the same text without those."""
    return text.count("\ufffd") - ignored.count("\ufffd")


def encoding_note(encoding: str, replaced: int) -> str:
    """What to say of a text that is not plain UTF-8, of which so many byte sequences had no meaning."""
    if not replaced:
        return f"read as {encoding}"
    what = "1 byte sequence" if replaced == 1 else f"{replaced:,} byte sequences"
    return f"read as {encoding}; {what} without a meaning became \ufffd"
