"""What a text holds: sizes, alphabet, scripts, languages, repetition, and what looks like damage."""

from __future__ import annotations

import dataclasses
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pellucid.text.documents import Corpus
from pellucid.text.languages import language_shares

RAREST = 6  # characters shown
MOST_DAMAGE = 5  # kinds of damage shown
LEAST_PARAGRAPH = (
    40  # characters: shorter ones, such as headings and speakers' names, are repeated for good reason
)
BEGINNING_LINES, BEGINNING_WIDTH = 12, 96
BLANK_LINE = re.compile(r"\n\s*\n")

# The first words of Unicode's names of letters, where they are not the script's own name.
SCRIPTS = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "FULLWIDTH": "Latin",
    "HALFWIDTH": "Katakana",
    "MICRO": "Greek",
}
SCRIPTS |= dict.fromkeys(("FEMININE", "MASCULINE"), "Latin")  # ª and º
# fmt: off
NAMED_ALIKE = (
    "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC", "SYRIAC", "DEVANAGARI", "BENGALI",
    "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "THAI", "LAO", "TIBETAN",
    "MYANMAR", "KHMER", "MONGOLIAN", "HANGUL", "HIRAGANA", "KATAKANA", "ETHIOPIC", "CHEROKEE",
)
# fmt: on


def _continuations() -> str:
    """How the second and later bytes of UTF-8 characters look when read as Windows-1252 or Latin-1."""
    both = (
        bytes([byte]).decode(code, "ignore") for byte in range(0x80, 0xC0) for code in ("cp1252", "latin-1")
    )
    return "[" + "".join(sorted(set(both))) + "]"


# UTF-8 read as Windows-1252: accented letters, typographic marks, emoji. Cyrillic and CJK only in runs, since a single
# one occurs in sound text, such as `é…»`.
MOJIBAKE = re.compile("[ÂÃ]C|â€C|ðŸCC|(?:[ÐÑ]C){2,}|(?:[ã-é]CC){2,}".replace("C", _continuations()))
MOJIBAKE_LEADS = frozenset("ÂÃâðÐÑãäåæçèé")


@dataclasses.dataclass(frozen=True)
class Survey:
    """What there is to know of a text before training on it. Shares are of all characters, from 0 to 1."""

    n_files: int
    n_documents: int
    n_characters: int
    n_bytes: int
    n_words: int
    shortest_document: int  # in characters, as the next two
    median_document: int
    longest_document: int
    longest_line: int
    n_symbols: int  # different characters
    rarest: tuple[tuple[str, int], ...]
    damage: tuple[tuple[str, int], ...]  # what looks like decoding damage, and how often it occurs
    scripts: dict[str, float]  # of the letters
    languages: dict[str, float] | None  # None: the library for it is not installed
    repeated_documents: float
    repeated_paragraphs: float
    beginning: tuple[str, ...]  # lines of the first document, cut


def survey(corpus: Corpus) -> Survey:
    """Look at every character once, and at pieces for the languages; `corpus` holds text."""
    texts = [document.text for document in corpus.documents]
    lengths = sorted(map(len, texts))
    counts = Counter[str]()
    for text in texts:
        counts.update(text)
    n_words, repeated_paragraphs = _words_and_repetition(texts)
    return Survey(
        n_files=corpus.n_files,
        n_documents=len(texts),
        n_characters=corpus.n_characters,
        n_bytes=corpus.n_bytes,
        n_words=n_words,
        shortest_document=lengths[0],
        median_document=int(statistics.median(lengths)),
        longest_document=lengths[-1],
        longest_line=max(map(longest_line, texts)),
        n_symbols=len(counts),
        rarest=tuple(sorted(counts.items(), key=lambda item: (item[1], item[0]))[:RAREST]),
        damage=decoding_damage(texts, counts),
        scripts=script_shares(counts),
        languages=language_shares(texts),
        repeated_documents=_repeated(texts) / max(1, corpus.n_characters),
        repeated_paragraphs=repeated_paragraphs / max(1, corpus.n_characters),
        beginning=_beginning(texts[0]),
    )


def longest_line(text: str) -> int:
    """Characters of the longest line."""
    longest = start = 0
    while (end := text.find("\n", start)) >= 0:
        longest = max(longest, end - start)
        start = end + 1
    return max(longest, len(text) - start)


# ---------------------------------------------------------------------- characters


def decoding_damage(texts: Iterable[str], counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    """U+FFFD, and the sequences that UTF-8 becomes when it is read as Windows-1252, most frequent first.

    Args:
        counts: of the texts' characters.
    """
    found = Counter[str]()
    if counts["\ufffd"]:
        found["\ufffd"] = counts["\ufffd"]
    if not MOJIBAKE_LEADS.isdisjoint(counts):
        for text in texts:
            found.update(MOJIBAKE.findall(text))
    return tuple(found.most_common(MOST_DAMAGE))


def script_shares(counts: Counter[str]) -> dict[str, float]:
    """The share of each script in the letters, largest first."""
    found = Counter[str]()
    for character, count in counts.items():
        if character.isalpha():
            found[script(character)] += count
    return {name: count / found.total() for name, count in found.most_common()}


def script(letter: str) -> str:
    """The script of a letter, such as Latin or Han, by its Unicode name; `other` where that does not tell."""
    first = re.split(r"[ -]", unicodedata.name(letter, "?"))[0]
    return first.title() if first in NAMED_ALIKE else SCRIPTS.get(first, "other")


# ---------------------------------------------------------------------- repetition


def _repeated(texts: Sequence[str]) -> int:
    """Characters of the texts that stood before, whole."""
    seen, repeated = set[str](), 0
    for text in texts:
        repeated += len(text) if text in seen else 0
        seen.add(text)
    return repeated


def _words_and_repetition(texts: Iterable[str]) -> tuple[int, int]:
    """The number of words, and the characters of paragraphs that stood before, however they were wrapped."""
    n_words = repeated = 0
    seen = set[int]()  # of hashes: the paragraphs themselves would be a second copy of the text
    for text in texts:
        for paragraph in paragraphs(text):
            words = paragraph.split()
            n_words += len(words)
            if len(paragraph) >= LEAST_PARAGRAPH:
                key = hash(" ".join(words))
                repeated += len(paragraph) if key in seen else 0
                seen.add(key)
    return n_words, repeated


def paragraphs(text: str) -> Iterator[str]:
    """What stands between blank lines; in a text without blank lines, its lines."""
    separator = BLANK_LINE if BLANK_LINE.search(text) else re.compile("\n")
    start = 0
    for match in separator.finditer(text):
        yield text[start : match.start()]
        start = match.end()
    yield text[start:]


def _beginning(text: str) -> tuple[str, ...]:
    lines = text[: BEGINNING_LINES * 1000].strip("\n").split("\n")[:BEGINNING_LINES]
    return tuple(
        line.rstrip() if len(line) <= BEGINNING_WIDTH else line[: BEGINNING_WIDTH - 1] + "…" for line in lines
    )
