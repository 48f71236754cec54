"""Counted pairs are those a naive count gives, however the stream is cut, and survive a file."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.text import bigrams
from pellucid.text.bigrams import PairCounts, count_pairs

SIZE = 11


@pytest.fixture
def tokens() -> np.ndarray:
    draw = np.random.default_rng(3)
    return np.minimum(draw.geometric(0.3, 500) - 1, SIZE - 2).astype(np.uint16)  # token 10 never occurs


def as_counter(counts: PairCounts) -> Counter:
    return Counter(
        {
            (first, int(second)): int(times)
            for first in range(counts.vocab_size)
            for second, times in zip(*counts.row(first), strict=True)
        }
    )


@pytest.mark.parametrize("at_once", [1, 7, 499, 500, 1 << 21])
def test_counts_are_those_of_a_naive_count(tokens: np.ndarray, at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bigrams, "COUNTED_AT_ONCE", at_once)
    counts = count_pairs(tokens, SIZE)
    naive = Counter(itertools.pairwise(tokens.tolist()))
    assert as_counter(counts) == naive
    assert counts.total == 499
    assert counts.tokens.tolist() == [Counter(tokens.tolist())[token] for token in range(SIZE)]
    assert counts.kinds.tolist() == [sum(first == token for first, _ in naive) for token in range(SIZE)]
    assert counts.row_totals.tolist() == [
        sum(times for (first, _), times in naive.items() if first == token) for token in range(SIZE)
    ]
    first, second = np.divmod(np.arange(SIZE * SIZE), SIZE)
    assert counts.of_pairs(first, second).tolist() == [
        naive[pair] for pair in zip(first.tolist(), second.tolist(), strict=True)
    ]


@pytest.mark.parametrize("length", [0, 1, 2])
def test_hardly_any_text(length: int):
    counts = count_pairs(np.array([4, 2])[:length], SIZE)
    assert counts.total == max(0, length - 1)
    assert counts.of_pairs(np.array([4, 1]), np.array([2, 1])).tolist() == [int(length == 2), 0]


def test_of_a_long_text_the_beginning_is_counted(tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bigrams, "MOST_COUNTED", 100)
    assert as_counter(count_pairs(tokens, SIZE)) == as_counter(count_pairs(tokens[:100], SIZE))


def test_a_file_gives_them_back_and_equal_counts_are_equal_bytes(tokens: np.ndarray, tmp_path: Path):
    counts = count_pairs(tokens, SIZE)
    counts.save(tmp_path / "a")
    count_pairs(tokens.copy(), SIZE).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert as_counter(PairCounts.load(tmp_path / "a")) == as_counter(counts)


def test_a_missing_or_damaged_file_is_told(tokens: np.ndarray, tmp_path: Path):
    path = tmp_path / "bigram.safetensors"
    with pytest.raises(InputError, match="is missing"):
        PairCounts.load(path)
    counts = count_pairs(tokens, SIZE)
    counts.save(path)
    whole = path.read_bytes()
    for spoiled in (whole[:-1], b"", b"nonsense", whole + bytes(8)):
        path.write_bytes(spoiled)
        with pytest.raises(InputError, match="is damaged"):
            PairCounts.load(path)
    for field, value in (
        ("ends", counts.ends[::-1].copy()),
        ("followers", counts.followers + 5),
        ("counts", counts.counts * 2),
        ("tokens", counts.tokens.astype(np.float32)),
        ("ends", counts.ends[:0]),
    ):
        arrays = {name: getattr(counts, name) for name in ("ends", "followers", "counts", "tokens")}
        PairCounts(**{**arrays, field: value}).save(path)
        with pytest.raises(InputError, match="is damaged"):
            PairCounts.load(path)
