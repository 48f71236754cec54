"""The tales: one derivation each, probabilities that add up, and an entropy that a large sample agrees with."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import statistics
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import refused

from pellucid.errors import InputError
from pellucid.text.corpora.tales import DEFAULT_STORIES
from pellucid.text.sources import read
from pellucid.text.splits import split
from pellucid.text.tales.grammar import END
from pellucid.text.tales.tales import (
    entropy_bits,
    expected_characters,
    floor,
    grammar,
    log_probability,
    next_character,
    write,
)

ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,.\"'\n"


@pytest.fixture(scope="module")
def stories() -> list[str]:
    return [write(7, index) for index in range(4000)]


def bits(story: str) -> float:
    return -log_probability(story) / math.log(2)


def test_the_grammar_is_read_in_one_way_only():
    assert grammar().faults() == []


def test_the_entropy_is_that_of_a_large_sample(stories: list[str]):
    needed = [bits(story) for story in stories]
    assert abs(statistics.mean(needed) - entropy_bits()) < 3 * statistics.stdev(needed) / math.sqrt(4000)


def test_the_length_is_that_of_a_large_sample(stories: list[str]):
    lengths = [len(story) + 1 for story in stories]
    assert abs(statistics.mean(lengths) - expected_characters()) < 3 * statistics.stdev(lengths) / math.sqrt(
        4000
    )
    assert floor() == entropy_bits() / expected_characters()
    assert 0.1 < floor() < 0.2


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_next_characters_sum_to_one_and_multiply_up_to_the_story(seed: int, index: int):
    story, total = write(seed, index), 0.0
    for place, character in enumerate(story):
        ways = next_character(story[:place])
        assert math.fsum(ways.values()) == pytest.approx(1)
        total += math.log(ways[character])
    assert next_character(story) == {END: 1.0}
    assert total == pytest.approx(log_probability(story))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_story_is_a_function_of_its_numbers(seed: int, index: int):
    assert write(seed, index) == write(seed, index)


def test_the_stories_never_change():
    texts = "".join(write(0, index) for index in range(100))
    assert hashlib.sha256(texts.encode()).hexdigest() == (
        "47054b7b3525bff43e8d6dce59bd4e88b5673d184cf64a81a85046815b509418"
    )


def test_hardly_two_stories_are_the_same(stories: list[str]):
    assert len(set(stories)) > 3_990
    assert set(stories).isdisjoint(write(0, index) for index in range(DEFAULT_STORIES))


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_a_character_that_cannot_stand_there_is_refused(index: int, draw: random.Random):
    story = write(3, index)
    place = draw.randrange(len(story))
    allowed = next_character(story[:place])
    assert story[place] in allowed
    other = draw.choice([character for character in ALPHABET if character not in allowed])
    with pytest.raises(InputError, match=f"at character {place:,}"):
        log_probability(story[:place] + other + story[place + 1 :])
    with pytest.raises(InputError):
        log_probability(story[:place])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("She wished", "He wished"),
        ("she set out", "it set out"),
        ("the well and went home to the mill", "the well and went home to the tower"),
        ("found the golden key", "found the silver bell"),
        ("The foxes were", "The foxes was"),
        ("The foxes were", "The fox was"),
        ("Mira found", "Elsa found"),
        ("At last", "At least"),
        ("afraid.\n", "afraid."),
        ("afraid.\n", "afraid.\nThe end.\n"),
    ],
)
def test_a_broken_rule_is_refused(before: str, after: str):
    story = (
        "Long ago there lived Mira in a mill. She wished for a golden key, and she set out with two foxes.\n"
        "At last Mira found the golden key by the well and went home to the mill. The foxes were afraid.\n"
    )
    assert log_probability(story) < 0
    assert story.count(before) == 1
    with pytest.raises(InputError):
        log_probability(story.replace(before, after))


def test_counting_is_far_above_the_floor(stories: list[str]):
    """Uniform, unigram and bigram, each with the counts of the very stories it is to predict."""
    text = "".join(story + "\0" for story in stories)
    symbols, pairs = Counter(text), Counter(itertools.pairwise(text))
    unigram = -sum(n / len(text) * math.log2(n / len(text)) for n in symbols.values())
    bigram = -sum(n / len(text) * math.log2(n / symbols[a]) for (a, _), n in pairs.items())
    assert math.log2(len(symbols)) > unigram > bigram > 10 * floor()


def test_the_readme_has_the_floor():
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    assert f"exactly: {floor():.4f} bits a character" in readme


# ---------------------------------------------------------------------- the corpus


def test_the_corpus_is_a_document_a_story():
    corpus = read("tales:30")
    assert f"{floor():.4f} bits a character" in " ".join(corpus.notes)
    assert corpus.name == "tales" and len(corpus.documents) == 30
    assert corpus.documents[29].text == write(0, 29)
    assert read("tales:30").fingerprint == corpus.fingerprint
    splits = split(corpus.documents, seed=1)
    assert splits.record["rule"] == splits.record["dev_rule"] == "whole documents by seed"
    assert all(log_probability(document.text) < 0 for document in splits.validation + splits.dev)


def test_the_corpus_has_about_a_million_characters():
    corpus = read("tales")
    assert len(corpus.documents) == DEFAULT_STORIES
    assert 900_000 < corpus.n_characters < 1_100_000


@pytest.mark.parametrize("name", ["tales:", "tales:0", "tales:-1", "tales:x", "tales:1.5", "tales:1000001"])
def test_what_is_no_number_of_stories(name: str):
    refused(name, "names no number of stories", "tales:5000")
