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
LEAST_KEPT = 0.5  # Sleepy Hollow, the shortest of the course's books, keeps 0.78


def strip_gutenberg(text: str) -> tuple[str, str | None]:
    """The book between Project Gutenberg's markers, and a note; any other text as it is, without a note.

    Where one marker is missing, or the cut would leave less than half, all is kept and the note says so.
    """
    starts = list(START.finditer(text))
    start = starts[-1] if starts else None  # books of the 1990s have the small print after the first
    end = END.search(text, start.end() if start else 0)
    if start is None and end is None:
        return text, None
    if start is None or end is None:
        missing = "START" if start is None else "END"
        return text, f"Project Gutenberg's {missing} marker is missing, so its header and licence are kept"
    book = text[start.end() : end.start()].strip("\n") + "\n"
    if len(book) < LEAST_KEPT * len(text):
        return text, "kept whole, since less than half lies between Project Gutenberg's markers"
    return book, "Project Gutenberg's header and licence left out"
