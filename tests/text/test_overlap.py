"""How much of one text stands in another: against the plainest way of looking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.text import overlap
from pellucid.text.overlap import longest_match, ngrams, shared_ngrams, words

FEW = st.text("abä\n🦆", max_size=24)


def plainly(texts: list[str], others: list[str]) -> int:
    """The length of the longest common stretch, every one of them tried."""
    stretches = {text[i:j] for text in texts for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
    return max((len(each) for each in stretches if any(each in other for other in others)), default=0)


@given(st.lists(FEW, max_size=3), st.lists(FEW, max_size=3))
def test_the_longest_match_is_as_long_as_the_plainest_search_finds(texts: list[str], others: list[str]):
    found = longest_match(texts, others)
    assert len(found) == plainly(texts, others)
    assert not found or (any(found in t for t in texts) and any(found in o for o in others))


@given(st.text("abc", min_size=1, max_size=40), st.integers(1, 7))
def test_a_match_is_found_wherever_blocks_end(text: str, size: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "BLOCK", size)
        other = "xyz" * 5 + text + "zyx" * 5
        assert longest_match([text, "q"], ["y", other]) == text


def test_no_match_spans_two_texts():
    assert longest_match(["the cat", "purrs"], ["a catpurrs b"]) == "purrs"
    assert longest_match([], ["a"]) == longest_match(["a"], []) == ""


def test_runs_of_words_are_compared_without_case_and_punctuation():
    texts, others = ["The cat, in the barn!", "one two"], ["I saw THE CAT in the barn.", "two one"]
    assert shared_ngrams(texts, others, 4) == (2, 2)
    assert shared_ngrams(texts, others, 2) == (4, 5)
    assert shared_ngrams([], others, 4) == (0, 0)
    assert ngrams("a b", 3) == []


def test_where_there_are_no_blanks_a_character_is_a_word():
    assert words("我爱猫 very much") == ["我", "爱", "猫", "very", "much"]
