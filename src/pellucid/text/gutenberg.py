"""Project Gutenberg wraps its books in a header and a licence: text nobody means to train on."""

from __future__ import annotations

import re

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


def _markers(text: str) -> list[tuple[bool, int, int]]:
    """Whether it ends a book, its start and its end, for each marker in order."""
    starts = [(False, *marker.span()) for marker in START.finditer(text)]
    ends = [(True, *marker.span()) for marker in END.finditer(text)]
    return sorted(starts + ends, key=lambda marker: marker[1])
