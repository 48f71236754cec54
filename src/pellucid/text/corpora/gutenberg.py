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
NOT_CUT = "Project Gutenberg's {} marker is missing, so its header and licence are kept"
LEAST_KEPT = 0.5  # Sleepy Hollow, the shortest of the course's books, keeps 0.78


def strip_gutenberg(text: str) -> tuple[str, str | None]:
    """The book between Project Gutenberg's markers, and a note; any other text as it is, without a note.

    Several books in one text, each between markers of its own, are all kept. Where a marker is missing, or
    the cut would leave less than half, all is kept and the note says so.
    """
    books, n_markers, opened = list[str](), 0, None
    for is_end, left, right in _markers(text):
        n_markers += 1
        if not is_end:  # books of the 1990s have the small print after the first marker: the last one counts
            opened = right
        elif opened is not None:
            books.append(text[opened:left].strip("\n") + "\n")
            opened = None
        elif not books:
            return text, NOT_CUT.format("START")
    if opened is not None:
        return text, NOT_CUT.format("END")
    if not n_markers:
        return text, None
    book = "\n\n".join(books)
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
    markers = _markers(text)
    starts = [marker for marker in markers if not marker[0]]
    if not starts:
        raise InputError(f"{name} is not a book of Project Gutenberg: its START marker is missing")
    first, start = starts[0][1], starts[-1][2]
    end = next((left for is_end, left, _ in markers if is_end and left >= start), None)
    if end is None:
        raise InputError(f"{name} is cut short: Project Gutenberg's END marker is missing")
    if not text[start:end].strip():
        raise InputError(f"{name} holds no text between Project Gutenberg's markers")
    title = TITLE.search(text, 0, first)
    stripped, note = strip_gutenberg(text)
    document_name = " ".join(title[1].split())[:LONGEST_TITLE] if title else name
    return Document(stripped, document_name), note or ""


def _markers(text: str) -> list[tuple[bool, int, int]]:
    """Whether it ends a book, its start and its end, for each marker in order."""
    starts = [(False, *marker.span()) for marker in START.finditer(text)]
    ends = [(True, *marker.span()) for marker in END.finditer(text)]
    return sorted(starts + ends, key=lambda marker: marker[1])
