"""What a message is: a text, an attachment, a call, something deleted, or a notice of WhatsApp itself."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.text.chats.record import Kind
from pellucid.text.chats.whatsapp import words
from pellucid.text.chats.whatsapp.marks import INVISIBLE, MARKS, is_own_word, plain_spaces, without_marks

MOST_NOTICE = 700  # characters; longer texts are people's own
MOST_PLACEHOLDER = 40
MOST_EDITED = 100
SUFFIX = r"\.[A-Za-z0-9]{2,5}"
WHOLE_IN_BRACKETS = re.compile(rf"<[^<>\n]{{2,{MOST_PLACEHOLDER}}}>")
NAMED_FILE = re.compile(r"<(?P<word>[^<>:\n]{1,30}?) ?: ?[^<>\n]{1,200}>$")
FILE_AND_WORD = re.compile(rf"^(?P<file>\S[^\n]{{0,200}}{SUFFIX}) [(<](?P<word>[^()<>\n]{{1,40}})[)>]$")
OWN_FILE = re.compile(
    rf"^(?:IMG|VID|AUD|PTT|STK|DOC)-[0-9]{{8}}-WA[0-9]+{SUFFIX}$|-(?:PHOTO|VIDEO|AUDIO|GIF|STICKER)-"
)
# at the end of the text
PLACE = re.compile(r"https://(?:maps\.google\.com/\?q=[-0-9]|foursquare\.com/v/)\S+$")
MOST_PLACE = 300  # characters, the place's name and address among them
CALL_ENDS = re.compile(r"[,.(•·:]| at | um | a las | à ")
EDITED = re.compile(rf"[ \n]?(?P<mark>[{INVISIBLE}]*)<(?P<word>[^<>\n:]{{3,70}})>[{INVISIBLE} ]*$")
FORWARDED = re.compile(
    r"^\[(?:Forwarded|Weitergeleitet|Reenviado|Transféré|Encaminhada|Inoltrato|Doorgestuurd)\] "
)
AROUND = " <>.。।!…\u200b"


@dataclass(frozen=True)
class Body:
    """What follows the author, over all its lines.

    Attributes:
        raw: with its marks.
        is_first: whether it stands among the first lines of the file.
    """

    raw: str
    author: str | None
    is_first: bool = False


def split_edited(raw: str) -> str:
    """`raw` without what WhatsApp puts behind a message that was changed."""
    match = EDITED.search(raw, max(0, len(raw) - MOST_EDITED))
    if match is None:
        return raw
    word = _folded(match["word"])
    by_shape = match["mark"] and match.start() > 0 and word not in _omitted() and "." not in word
    return raw[: match.start()] if word in _table("EDITED") or by_shape else raw


def split_forwarded(raw: str) -> tuple[str, bool]:
    """`raw` without the word that WhatsApp Web puts before a message that was forwarded, and whether it was there."""
    match = FORWARDED.match(raw)
    return (raw[match.end() :], True) if match else (raw, False)


def kinds_of(bodies: Sequence[Body]) -> list[Kind]:
    """The kind of each body.

    By words where they are known; else by shape: behind a mark of direction WhatsApp speaks itself, if the marks
    of this file mostly stand before words that are known, or the same words come again.
    """
    kinds: list[Kind | None] = [_by_words(body) for body in bodies]
    marked = [index for index, body in enumerate(bodies) if _speaks(body)]
    known = sum(kinds[index] is not None for index in marked)
    trusted = 2 * known >= len(marked)
    again = Counter(bodies[index].raw for index in marked if kinds[index] is None)
    writers = {
        body.author for body, kind in zip(bodies, kinds, strict=True) if kind is None and not _speaks(body)
    }
    for index in marked:
        body = bodies[index]
        if kinds[index] is None and (trusted or again[body.raw] > 1):
            is_short = len(without_marks(body.raw)) <= MOST_PLACEHOLDER
            kinds[index] = "media" if is_short and body.author in writers else "system"
    return ["text" if kind is None else kind for kind in kinds]


def _speaks(body: Body) -> bool:
    """Whether the body has the mark of WhatsApp's own words, and no line but one."""
    return is_own_word(body.raw) and len(body.raw) <= MOST_NOTICE and "\n" not in body.raw


def _by_words(body: Body) -> Kind | None:
    """The kind that the words tell; None of a text, and of words that are not known."""
    if body.author is None:
        return "system"
    text = without_marks(body.raw[: 2 * MOST_NOTICE]).strip(" ")
    if not text:
        return "media"  # a photo to be seen once
    first = text.partition("\n")[0]
    if _is_attachment(first, body.raw) or (len(text) <= MOST_PLACE and PLACE.search(text)):
        return "media"
    folded, is_marked = _folded(first), is_own_word(body.raw)
    if "\n" in text or len(text) >= MOST_NOTICE:
        return None
    if folded in _table("DELETED"):
        return "deleted"
    if folded in _table("CALLS") or (is_marked and CALL_ENDS.split(folded)[0].strip() in _table("CALLS")):
        return "call"
    if folded in _table("LIVE_PLACE"):
        return "media"
    return "system" if (is_marked or body.is_first) and _is_notice(folded, is_marked) else None


def is_known_notice(text: str) -> bool:
    """Whether a line without an author is one of WhatsApp's notices, in words that are known."""
    return _is_notice(_folded(text[:MOST_NOTICE]), is_marked=True)


def _is_notice(folded: str, is_marked: bool) -> bool:
    if any(piece in folded for piece in _table("ENCRYPTION")):
        return is_marked or "whatsapp" in folded or "واتساب" in folded
    return is_marked and any(piece in folded for piece in _table("NOTICES"))


def _is_attachment(first: str, raw: str) -> bool:
    if WHOLE_IN_BRACKETS.fullmatch(first) or _folded(first) in _omitted():
        return True
    raw_first = raw[:MOST_NOTICE].partition("\n")[0]
    last_part = MARKS.split(raw_first)[-1] if not raw_first.isascii() else ""
    # Report.pdf • 2 pages document omitted
    if last_part and last_part != first and _folded(last_part) in _omitted():
        return True
    named = NAMED_FILE.search(first[-240:])
    if named and (_folded(named["word"]) in _table("ATTACHED") or named.end() - named.start() == len(first)):
        return True
    file = FILE_AND_WORD.match(first)
    if file is None:
        return False
    return _folded(file["word"]) in _table("ATTACHED") or OWN_FILE.search(file["file"]) is not None


def _folded(text: str) -> str:
    composed = unicodedata.normalize("NFKC", without_marks(text))  # to look up, not to keep
    return " ".join(plain_spaces(composed).casefold().replace("’", "'").split()).strip(AROUND)


@functools.cache
def _table(name: str) -> frozenset[str]:
    return _all_folded(words.phrases(getattr(words, name)))


@functools.cache
def _omitted() -> frozenset[str]:
    return _all_folded(
        phrase
        for thing, ways in words.omitted_pairs().items()
        for way in ways
        for phrase in (f"{thing} {way}", f"{way} {thing}", f"{thing}{way}", f"{way}{thing}")
    )


def _all_folded(phrases: Iterable[str]) -> frozenset[str]:
    return frozenset(_folded(phrase) for phrase in phrases)
