"""Lines of printed pages become paragraphs: without hyphens at line ends, page numbers and running heads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

MOST_PAGES = 0.6  # first or last lines that more of the pages share, numbers aside, are running heads
EACH_PAGES = 0.4  # left and right pages may have heads of their own, each on almost half of them
FEWEST_PAGES = 4  # of fewer pages nothing is certain
FULL = 0.8  # of the usual length: a shorter line may end a paragraph
PROSE = 0.5  # the share of full lines below which a text is verse or tables, and its lines are kept
PAGE_NUMBER = re.compile(
    r"\W*(?:page\s+)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of)\s*\d{1,4})?\W*", re.IGNORECASE
)
SENTENCE_END = re.compile(r"""[.!?:…]["'”’»)\]]*$""")
HYPHENATED = re.compile(r"([^\W\d_]+)[-\u00ad\u2010]$")
WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")


def reflow(pages: Sequence[str]) -> str:
    """One text of the pages' lines, its paragraphs apart by a blank line.

    A line ends a paragraph where it is clearly shorter than most and ends a sentence, or is a heading.
    """
    lines = [line for page in _without_heads([_lines(page) for page in pages]) for line in page]
    lengths = sorted(len(line) for line in lines if line)
    usual = lengths[len(lengths) * 3 // 4] if lengths else 0
    if sum(length >= FULL * usual for length in lengths) < PROSE * len(lengths):
        return "\n".join(lines).strip("\n") + "\n"
    words = Counter(word.lower() for line in lines for word in WORD.findall(line))
    paragraphs, current = list[str](), ""
    for index, line in enumerate(lines):
        current = _joined(current, line, words)
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if current and _ends_paragraph(line, following, FULL * usual):
            paragraphs.append(current)
            current = ""
    return "\n\n".join(paragraphs) + "\n"


def _lines(page: str) -> list[str]:
    """The lines of a page; empty ones within it say where paragraphs end."""
    return [" ".join(line.split()) for line in page.strip().splitlines()]


def _without_heads(pages: list[list[str]]) -> list[list[str]]:
    """The pages without first and last lines that most of them share, or that number most of them."""
    printed = [page for page in pages if page]
    if len(printed) < FEWEST_PAGES:
        return pages
    for edge in (0, -1):
        removed = _remove_heads(printed, edge)
        if removed:  # a number may stand above or below a head, but no second head
            _remove_heads(printed, edge, only_with=removed)
    return pages


def _remove_heads(pages: list[list[str]], edge: int, only_with: set[str] | None = None) -> set[str]:
    """Removes the lines at the edge that are shared; gives what they have in common."""
    counts = Counter(_shape(page[edge]) for page in pages if page)
    heads = {shape for shape, count in counts.items() if count > EACH_PAGES * len(pages)}
    is_second = only_with is not None and "#" not in heads ^ only_with
    if is_second or sum(counts[shape] for shape in heads) <= MOST_PAGES * len(pages):
        return set()
    for page in pages:
        if page and _shape(page[edge]) in heads:
            page.pop(edge)
    return heads


def _shape(line: str) -> str:
    """What a running head has in common on all pages."""
    return "#" if PAGE_NUMBER.fullmatch(line) else re.sub(r"^\d{1,4}\b|\b\d{1,4}$", "#", line)


def _joined(current: str, line: str, words: Counter[str]) -> str:
    """`current` with `line` after it; a hyphen between goes unless the text has the word with it elsewhere."""
    if not current or not line:
        return current or line
    hyphen, following = HYPHENATED.search(current), WORD.match(line)
    if hyphen is None or following is None or not line[0].islower():
        return f"{current} {line}"
    second = re.split(r"[-\u2010]", following[0])[0].lower()
    first = hyphen[1].lower()
    keeps = words[f"{first}-{second}"] > words[f"{first}{second}"]
    return (current if keeps else current[:-1]) + line


def _ends_paragraph(line: str, following: str, full: float) -> bool:
    if not following:
        return True
    if len(line) >= full:
        return False
    return bool(SENTENCE_END.search(line)) or not following[0].islower()
