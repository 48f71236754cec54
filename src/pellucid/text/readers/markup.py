"""HTML cut into text and whole tags in one pass, so that broken markup costs no more time than good."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Python's parser looks at the rest of the page again for each tag, comment or quotation that never ends:
# 60 kB of `<a <a <a …` took it five minutes. It is given one whole tag at a time instead.
TAG_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)")
TO_QUOTE_OR_END = re.compile(r"[\"'>]")
LONGEST_TAG = 1 << 14  # characters; of a longer one, such as a picture inside a page, only the name matters
RAW = ("script", "style")  # what is in these is not markup


def tokens(markup: str) -> Iterator[tuple[str, str]]:
    """`("", text)` and `(name, tag)` in order, comments and declarations left out; takes linear time.

    A tag of more than `LONGEST_TAG` characters comes without its attributes.
    """
    start, minding_quotes, comments_end = 0, True, True
    while (left := markup.find("<", start)) >= 0:
        name = TAG_NAME.match(markup, left)
        if name is None and markup[left + 1 : left + 2] not in ("!", "?"):
            yield "", markup[start : left + 1]  # `1 < 2`
            start = left + 1
            continue
        yield "", markup[start:left]
        if name is None:
            start, comments_end = _after_declaration(markup, left, comments_end)
            continue
        end = _tag_end(markup, name.end()) if minding_quotes else -1
        if end < 0:  # a quotation that never ends: from here on a tag ends where it seems to
            minding_quotes, end = False, markup.find(">", name.end())
        if end < 0:  # no tag is whole from here on
            start = left
            break
        tag, start = markup[left : end + 1], end + 1
        lowered = name[1].lower()
        yield lowered, tag if len(tag) <= LONGEST_TAG and minding_quotes else name[0] + ">"
        if lowered in RAW and tag[1] != "/" and not tag.endswith("/>"):
            closing = re.compile(rf"</{lowered}\b", re.IGNORECASE).search(markup, start)
            start = closing.start() if closing else len(markup)
    yield "", markup[start:]


def _after_declaration(markup: str, left: int, comments_end: bool) -> tuple[int, bool]:
    """Where the comment or declaration at `left` is over, and whether any comment after it can be."""
    if markup.startswith("<!--", left):
        end = markup.find("-->", left + 2) if comments_end else -1
        return (end + 3, True) if end >= 0 else (left + 4, False)  # unfinished: what it holds is kept
    end = markup.find(">", left)
    return (end + 1 if end >= 0 else len(markup)), comments_end


def _tag_end(markup: str, start: int) -> int:
    """The index of the `>` that is outside quotations; -1 if there is none."""
    while match := TO_QUOTE_OR_END.search(markup, start):
        if match[0] == ">":
            return match.start()
        closing = markup.find(match[0], match.end())
        if closing < 0:
            return -1
        start = closing + 1
    return -1
