"""The corpus `tales`: as many stories of the grammar as are asked for, written here."""

from __future__ import annotations

import re

from pellucid.errors import InputError
from pellucid.text.documents import Corpus, Document
from pellucid.text.tales.tales import floor, write

NAME = "tales"
SEED = 0
DEFAULT_STORIES = 2_000  # about a million characters
MOST_STORIES = 1_000_000  # about 500 MB, held in memory


def is_tales(source: str) -> bool:
    """Whether `source` asks for the corpus; `tales:x` does, even if it is wrong."""
    return source == NAME or source.startswith(f"{NAME}:")


def n_stories(source: str) -> int:
    """How many stories `tales` or `tales:5000` asks for.

    Raises:
        InputError: it names no number, or too large a one.
    """
    if source == NAME:
        return DEFAULT_STORIES
    number = source.removeprefix(f"{NAME}:")
    if not re.fullmatch(r"0*[1-9][0-9]{0,6}", number) or int(number) > MOST_STORIES:
        raise InputError(
            f"{source} names no number of stories: write one up to {MOST_STORIES:,}, as in {NAME}:5000"
        )
    return int(number)


def tales(source: str) -> Corpus:
    """The first stories of an order that does not change; each is a document.

    Raises:
        InputError: as `n_stories`.
    """
    numbers = range(n_stories(source))
    documents = tuple(Document(write(SEED, number), f"tale {number + 1}") for number in numbers)
    note = f"{NAME}: no model can need less than {floor():.4f} bits a character on average, the grammar's entropy"
    return Corpus(NAME, documents, (note,))
