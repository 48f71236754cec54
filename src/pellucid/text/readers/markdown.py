"""Markdown and Obsidian notes: the text a person wrote, without what only the program that shows it needs."""

from __future__ import annotations

import re

from pellucid.text.decoding import decode
from pellucid.text.readers.extract import Extract, one_document
from pellucid.text.readers.plain import split_stories

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?!\s*\n)(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
YAML_LINE = re.compile(r"[\w-]+(?: [\w-]+){0,3}:(?:\s.*)?|\s+\S.*|- .*|#.*|\s*")
FENCE = re.compile(r"^[ \t]{0,3}(?:>[ \t]?)*(?P<mark>`{3,}|~{3,})[^\n]*$", re.MULTILINE)
INLINE = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)(?:[^\n]|\n(?!\s*\n))+?(?<!`)(?P=ticks)(?!`))"
    # `%%` opens a comment only after space and closes it only before: not in "50%% of" or a cell's "%%time".
    r"|(?P<block>^%%(?!%)(?:[^%]|%(?!%))*%%[ \t]*$\n?)"
    r"|(?P<comment>(?<!\S)%%(?!%)(?:[^%\n]|%(?!%))*%%(?![^\s.,;:!?)]))"
    # Neither R's x[[1]] nor a Markdown link [[1]](address) nor the shell's [[ -f x ]] is a wiki-link.
    r"|(?<![\w\]])(?P<embed>!?)\[\[(?!\s)(?P<link>[^\[\]\n]+?)(?<!\s)\]\](?!\()",
    re.MULTILINE,
)


def read_markdown(data: bytes, name: str) -> Extract:
    """Raises InputError if `data` is not text."""
    text, note = decode(data, name)
    return split_stories(one_document(clean_markdown(text), name, note))


def clean_markdown(text: str) -> str:
    """`text` without front matter, `%%comments%%` and `![[embeds]]`; `[[note|shown]]` as what is shown.

    Code, in fences or between backticks, and all other Markdown stay as they are.
    """
    return "".join(
        piece if is_code else _clean_prose(piece) for piece, is_code in _split_code(_drop_front_matter(text))
    )


def _drop_front_matter(text: str) -> str:
    """Only if every line between the two `---` can be YAML: a rule above a paragraph is no front matter."""
    match = FRONT_MATTER.match(text)
    if match is None:
        return text
    lines = (match[1] or "").splitlines()
    is_yaml = all(YAML_LINE.fullmatch(line) for line in lines) and any(":" in line for line in lines)
    return text[match.end() :].lstrip("\n") if is_yaml else text


def _split_code(text: str) -> list[tuple[str, bool]]:
    """The pieces of `text` with whether each is fenced code, in order; an open fence runs to the end."""
    pieces, start, opened = list[tuple[str, bool]](), 0, None
    for match in FENCE.finditer(text):
        mark = match["mark"]
        if opened is None:
            pieces.append((text[start : match.start()], False))
            start, opened = match.start(), mark
        elif mark[0] == opened[0] and len(mark) >= len(opened) and match[0].rstrip().endswith(mark):
            pieces.append((text[start : match.end()], True))
            start, opened = match.end(), None
    return [*pieces, (text[start:], opened is not None)]


def _clean_prose(text: str) -> str:
    return INLINE.sub(_shown, text) if "[[" in text or "%%" in text else text


def _shown(match: re.Match[str]) -> str:
    """What Obsidian shows of a link: the words after the bar, else the note, and its heading after ` > `."""
    if match["code"]:
        return match[0]
    if match["link"] is None or match["embed"]:
        return ""
    target, bar, words = match["link"].replace("\\|", "|").partition("|")
    if bar and words.strip():
        return words.strip()
    shown = [part for part in target.split("#") if part and not part.startswith("^")]
    return " > ".join(shown) if shown else target
