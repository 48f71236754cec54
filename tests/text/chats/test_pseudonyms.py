"""Pseudonyms: the same everywhere, in any spelling, and never where a word need not be a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.text.chats.pseudonyms import COMMON_FOLDED, FIRST, Pseudonyms

REPEATABLE = settings(derandomize=True, max_examples=60)


def test_one_person_in_every_spelling():
    names = Pseudonyms(["Anna Lund", "José Díaz"])
    assert names.author("Anna Lund") == "Robin Hill"
    assert names.author("José Díaz") == "Alex Lake"
    shown = names.text("ANNA's here, anna lund too; @annalund, @anna_lund. Annas Auto, Lund's")
    assert shown == "Robin's here, Robin Hill too; @RobinHill, @Robin_Hill. Robins Auto, Hill's"
    decomposed = unicodedata.normalize("NFD", "José")
    assert names.text(f"jose, JOSÉ and {decomposed}!") == "Alex, Alex and Alex!"


def test_only_whole_words():
    names = Pseudonyms(["Anna", "Tim"])
    assert names.text("banana, annals, timid, time, Annabel") == "banana, annals, timid, time, Annabel"


def test_the_longer_name_comes_first():
    names = Pseudonyms(["Ann", "Anna", "Annabel"])
    assert names.text("Annabel, Anna, Ann") == "Kim, Alex, Robin"


def test_people_of_one_first_name_still_share_it():
    names = Pseudonyms(["Anna Lund", "Anna Berger"])
    assert names.author("Anna Lund") == "Robin Hill"
    assert names.author("Anna Berger") == "Robin Lake"


def test_names_of_scripts_without_blanks():
    names = Pseudonyms(["민수", "李明"])
    assert names.text("민수가 왔어, 李明在吗") == "Robin가 왔어, Alex在吗"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Will you come? I will.", "Will you come? I will."),
        ("I think Will does.", "I think Robin does."),
        ("@will come", "@Robin come"),
        ("Will Marten said so", "Robin Hill said so"),
        ("he wills it", "he wills it"),
    ],
)
def test_a_name_that_is_a_word_is_replaced_only_where_it_is_plainly_a_name(text: str, expected: str):
    names = Pseudonyms(["Will Marten"])
    assert names.text(text) == expected
    assert any("will" in note for note in names.notes)


def test_what_contacts_are_called_at_home():
    names = Pseudonyms(["Mum ❤️"])
    assert names.author("Mum ❤️") == "Robin"
    assert names.text("my mum is here. Mum, are you?") == "my mum is here. Robin, are you?"


def test_a_name_that_is_in_use_is_not_given():
    assert Pseudonyms(["Anna"], ["where is robin?"]).author("Anna") == "Alex"
    assert Pseudonyms(["Robin", "Anna"]).author("Anna") == "Kim"


def test_numbers_and_roles_for_names():
    names = Pseudonyms(["+49 170 1234567", "assistant"])
    assert names.author("+49 170 1234567") == "Robin"
    assert names.author("assistant") == "assistant"
    assert names.text("the assistant said 49") == "the assistant said 49"


def test_more_people_than_names():
    authors = [f"{a}{b}{c}x" for a in "bcdf" for b in "aeiou" for c in "klmnp"]
    names = Pseudonyms(authors)
    assert len({names.author(author) for author in authors}) == len(authors) > len(FIRST)


WORDS = st.text(alphabet="bdfgklmnpqvxzäé", min_size=4, max_size=9).filter(
    lambda word: unicodedata.normalize("NFD", word)[0].isalpha() and word not in COMMON_FOLDED
)


@REPEATABLE
@given(st.lists(WORDS, min_size=1, max_size=6, unique=True), st.data())
def test_no_name_is_left_and_nothing_else_changes(authors: list[str], data: st.DataObject):
    between = data.draw(st.lists(st.sampled_from([" 12 ", ", ", "! ", "\n", " — "]), min_size=1, max_size=8))
    spoken = [
        data.draw(st.sampled_from([author, author.upper(), author.title(), f"@{author}"]))
        for author in data.draw(
            st.lists(st.sampled_from(authors), min_size=len(between), max_size=len(between))
        )
    ]
    names = Pseudonyms(authors)
    text = "".join(word + gap for word, gap in zip(spoken, between, strict=True))
    expected = "".join(
        ("@" if word[0] == "@" else "") + names.author(word.lstrip("@").lower()) + gap
        for word, gap in zip(spoken, between, strict=True)
    )
    assert names.text(text) == expected
    assert Pseudonyms(authors).text(text) == expected
