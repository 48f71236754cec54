"""The registry: every name is explained, and what is no name is told so."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import refused

from pellucid.cli.train import parser
from pellucid.text.corpora import registry as corpora
from pellucid.text.corpora.registry import BOOK_FILES, CORPORA, COURSE, book_numbers
from pellucid.text.wording import size


def test_every_name_is_explained():
    for name, corpus in CORPORA.items():
        assert corpus.about
        assert corpus.licence, name
        if name in ("lesson", "tales"):  # made here
            continue
        assert corpus.address.startswith("https://"), name
        assert re.fullmatch(r"[0-9a-f]{64}", corpus.sha256) or corpus.address == corpora.BOOK_ADDRESS, name
        assert all(number in BOOK_FILES for number in corpus.books)
    assert len(COURSE) == 11


def test_what_is_to_be_fetched_is_told_before():
    assert CORPORA["tinystories:train"].description.endswith("; 2.23 GB to fetch")
    assert CORPORA["tinystories:train"].download == 2_227_753_162
    assert CORPORA["lesson"].download == 0 and "fetch" not in CORPORA["lesson"].description
    assert CORPORA["gutenberg:NUMBER"].download is None
    shown = " ".join(parser().format_help().split())
    for corpus in CORPORA.values():
        assert corpus.description in shown
        assert corpus.sha256 == "" or size(corpus.n_bytes) in corpus.description


def test_help_and_messages_list_the_names():
    shown = " ".join(parser().format_help().split())
    for name in CORPORA:
        assert name in shown
        refused([], name)
        refused("", name)
    refused("tale", "did you mean tales?")
    refused("Grim", "did you mean grimm?")
    refused("gutenberg", "did you mean gutenberg:NUMBER?")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "NUMBER",
        "abc",
        "0",
        "-1",
        "84,",
        ",",
        "84;1342",
        "12345678",
        "8 4",
        "٣",
        "1e2",
        "84,x",
        "../84",
        "//h/x",
    ],
)
def test_what_names_no_book(name: str):
    refused(f"gutenberg:{name}", "names no books", "gutenberg:84,1342")


def test_too_many_books():
    refused("gutenberg:" + ",".join(map(str, range(1, 102))), "101 books are too many", "mirrors")


@given(st.lists(st.integers(1, 9_999_999), min_size=1, max_size=100))
def test_numbers_of_books(numbers: list[int]):
    assert book_numbers("gutenberg:" + " , ".join(map(str, numbers))) == list(dict.fromkeys(numbers))
