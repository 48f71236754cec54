"""Baselines that are counted, not trained: uniform, unigram and bigram, all as counts of pairs.

A unigram is pairs of which none was seen, a uniform one tokens of which none was: each falls back on the next.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pellucid.inspection.compare.contender import Counted
from pellucid.text.bigrams import PairCounts, count_pairs
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.data import TrainingData
from pellucid.training.evaluation import Score

WINDOW = 1024  # tokens scored at a time; it changes nothing


def counts_of(kind: Counted, data: TrainingData) -> PairCounts:
    """What a baseline knows of the training split: its pairs, its tokens, or nothing."""
    vocab_size = data.tokenizer.vocab_size
    counts = count_pairs(data.train, vocab_size)
    if kind == "bigram":
        return counts
    none = np.zeros(0, np.int64)
    alone = dataclasses.replace(
        counts, ends=np.zeros(vocab_size, np.int64), followers=none.astype(np.int32), counts=none
    )
    return alone if kind == "unigram" else dataclasses.replace(alone, tokens=np.zeros(vocab_size, np.int64))


def score(counts: PairCounts, data: TrainingData) -> Score:
    """Its loss on the validation split."""
    return data.evaluator(WINDOW).bigram_score(counts, data.validation)


def n_numbers(counts: PairCounts) -> int:
    """How many numbers it has learned: counts that are not 0."""
    return len(counts.counts) + int((counts.tokens > 0).sum())


def write(counts: PairCounts, tokenizer: Tokenizer, n_tokens: int, seed: int) -> str:
    """What it writes, token by token, beginning after the end of a document."""
    draw = np.random.default_rng(seed)
    every = np.arange(counts.vocab_size)
    written, token = list[int](), tokenizer.end_of_text
    for _ in range(n_tokens):
        probabilities = counts.probabilities(np.full_like(every, token), every)
        token = int(draw.choice(every, p=probabilities / probabilities.sum()))
        written.append(token)
    return tokenizer.decode(written)
