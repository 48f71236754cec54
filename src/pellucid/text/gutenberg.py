"""Project Gutenberg wraps its books in a header and a licence: text nobody means to train on."""

from __future__ import annotations

import re

from pellucid.errors import InputError
from pellucid.text.documents import Document

# `*** START OF THE PROJECT GUTENBERG EBOOK MOBY DICK ***`, `***START OF THIS PROJECT GUTENBERG ETEXT`, and
# the 1990s' `*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*`. Not bare START: `START: FULL LICENSE` exists.
START = re.compile(
    r"^\*{3} ?START OF (?:THIS|THE) PROJECT GUTENBERG E(?:BOOK|TEXT)[^\n]*(?:\n[^\n]+)?\*{3}[ \t]*$"
    r"|^\*{3} ?START OF (?:THIS|THE) PROJECT GUTENBERG E(?:BOOK|TEXT)[^\n]*$"
    r"|^\*END\*? ?THE SMALL PRINT[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
END = re.compile(
    r"^\*{3} ?END OF (?:THIS|THE) PROJECT GUTENBERG E(?:BOOK|TEXT)|^End of (?:the |this )?Project Gutenberg",
    re.IGNORECASE | re.MULTILINE,
)
# in the header: `Title: Frankenstein; Or, The Modern Prometheus`, and longer ones go on in an indented line
TITLE = re.compile(r"^Title:[ \t]*(\S[^\n]*(?:\n[ \t]+\S[^\n]*)*)", re.IGNORECASE | re.MULTILINE)
LONGEST_TITLE = 200
LEAST_KEPT = 0.5  # Sleepy Hollow, the shortest of the course's books, keeps 0.78


def strip_gutenberg(text: str) -> tuple[str, str | None]:
    """The book between Project Gutenberg's markers, and a note; any other text as it is, without a note.

    Where one marker is missing, or the cut would leave less than half, all is kept and the note says so.
    """
    start, end = _markers(text)
    if start is None and end is None:
        return text, None
    if start is None or end is None:
        missing = "START" if start is None else "END"
        return text, f"Project Gutenberg's {missing} marker is missing, so its header and licence are kept"
    book = text[start.end() : end.start()].strip("\n") + "\n"
    if len(book) < LEAST_KEPT * len(text):
        return text, "kept whole, since less than half lies between Project Gutenberg's markers"
    return book, "Project Gutenberg's header and licence left out"


def read_book(text: str, name: str) -> tuple[Document, str]:
    """The book in a whole file of Project Gutenberg, named by its title, and the note of `strip_gutenberg`.

    The files change when they are released anew, so the two markers, not a checksum, tell that this is one
    and that it is whole.

    Args:
        name: what errors call the file, and the document where the header gives no title.

    Raises:
        InputError: a marker is missing, or nothing lies between them.
    """
    start, end = _markers(text)
    if start is None:
        raise InputError(f"{name} is not a book of Project Gutenberg: its START marker is missing")
    if end is None:
        raise InputError(f"{name} is cut short: Project Gutenberg's END marker is missing")
    if not text[start.end() : end.start()].strip():
        raise InputError(f"{name} holds no text between Project Gutenberg's markers")
    title = TITLE.search(text, 0, start.start())
    stripped, note = strip_gutenberg(text)
    document_name = " ".join(title[1].split())[:LONGEST_TITLE] if title else name
    return Document(stripped, document_name), note or ""


def _markers(text: str) -> tuple[re.Match[str] | None, re.Match[str] | None]:
    """Where the header ends and where the licence begins."""
    starts = list(START.finditer(text))
    start = starts[-1] if starts else None  # books of the 1990s have the small print after the first
    return start, END.search(text, start.end() if start else 0)
