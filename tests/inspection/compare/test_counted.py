"""The counted baselines against sums over the text itself."""

from __future__ import annotations

import collections
import itertools
import math

import numpy as np
import pytest

from pellucid.inspection.compare import counted
from pellucid.inspection.compare.asked import comparisons
from pellucid.inspection.compare.contender import Contender
from pellucid.inspection.compare.material import Material
from pellucid.inspection.compare.trial import request_of
from pellucid.training.data import TrainingData


@pytest.fixture
def data(material: Material) -> TrainingData:
    return material.data(request_of(comparisons()["ladder"], Contender("any", ""), {"steps": 1}))


def targets(data: TrainingData) -> list[tuple[int, int]]:
    """Every pair of the validation text whose second is scored: all but reserved tokens."""
    pairs = zip(data.validation[:-1].tolist(), data.validation[1:].tolist(), strict=True)
    return [(first, second) for first, second in pairs if data.tokenizer.token_bytes(second)]


def test_uniform_is_the_logarithm_of_the_vocabulary(data: TrainingData):
    score = counted.score(counted.counts_of("uniform", data), data)
    assert score.loss == pytest.approx(math.log(data.tokenizer.vocab_size))
    assert score.n_tokens == len(targets(data))


def test_a_unigram_is_counts_and_one_each(data: TrainingData):
    counts = collections.Counter(data.train.tolist())
    total = len(data.train) + data.tokenizer.vocab_size
    losses = [-math.log((counts[second] + 1) / total) for _, second in targets(data)]
    assert counted.score(counted.counts_of("unigram", data), data).loss == pytest.approx(np.mean(losses))


def test_a_bigram_is_witten_and_bells(data: TrainingData):
    train, size = data.train.tolist(), data.tokenizer.vocab_size
    singles, pairs = collections.Counter(train), collections.Counter(itertools.pairwise(train))
    rows, kinds = collections.Counter(), collections.Counter[int]()
    for (first, _), count in pairs.items():
        rows[first] += count
        kinds[first] += 1
    losses = []
    for first, second in targets(data):
        unigram = (singles[second] + 1) / (len(train) + size)
        smoothed = (pairs[first, second] + kinds[first] * unigram) / (rows[first] + kinds[first])
        losses.append(-math.log(smoothed))
    counts = counted.counts_of("bigram", data)
    assert counted.score(counts, data).loss == pytest.approx(np.mean(losses))
    assert counted.n_numbers(counts) == len(pairs) + len(singles)


def test_a_baseline_writes_by_what_it_counted(data: TrainingData):
    """Under bigrams every pair that is written is one of the text, or nearly always; under a unigram it is not."""
    text = "".join(data.tokenizer.decode(data.train))
    seen = set(itertools.pairwise(text))
    shares = {}
    for kind in ("uniform", "unigram", "bigram"):
        written = counted.write(counted.counts_of(kind, data), data.tokenizer, 400, seed=1)
        assert written == counted.write(counted.counts_of(kind, data), data.tokenizer, 400, seed=1)
        known = [pair in seen for pair in itertools.pairwise(written)]
        shares[kind] = sum(known) / len(known)
    assert shares["uniform"] < shares["unigram"] < shares["bigram"] and shares["bigram"] > 0.9
