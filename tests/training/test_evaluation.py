"""Scores: what is counted, what is not, and what counting alone would give."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import Transformer
from pellucid.text.bigrams import count_pairs
from pellucid.text.sources import read
from pellucid.text.tokenizers.tokenizer import Tokenizer, build_tokenizer
from pellucid.training.data import TrainingData, split_corpus, tokenise
from pellucid.training.evaluation import Evaluator, Score

LENGTH = 8
TINYSHAKESPEARE = Path(__file__).parents[3] / "shared/data/tinyshakespeare.txt"


@pytest.fixture
def model(data: TrainingData) -> Transformer:
    torch.manual_seed(0)
    config = ModelConfig(
        data.tokenizer.vocab_size, LENGTH, n_layers=1, n_heads=2, d_model=16, dropout=0.3, qk_norm=True
    )
    return Transformer(config)


@pytest.fixture
def evaluator(data: TrainingData) -> Evaluator:
    return Evaluator(data.tokenizer, LENGTH)


def log_probabilities(model: Transformer, tokens: np.ndarray) -> list[float]:
    """Of every token but the first, one window of LENGTH at a time, token by token."""
    model.eval()
    found = []
    for start in range(0, len(tokens) - 1, LENGTH):
        window = torch.from_numpy(tokens[start : start + LENGTH + 1].astype(np.int64))
        with torch.no_grad():
            table = model(window[None, :-1])[0].double().log_softmax(-1)
        found += [table[i, target].item() for i, target in enumerate(window[1:].tolist())]
    return found


def test_a_score_is_the_mean_over_windows_that_do_not_overlap(
    model: Transformer, evaluator: Evaluator, data: TrainingData
):
    tokens = data.train[:301]
    score = evaluator.score(model, tokens, "cpu")
    assert score.n_tokens == 300
    assert score.loss == pytest.approx(-np.mean(log_probabilities(model, tokens)), rel=1e-6)


def test_dropout_is_off_and_the_mode_is_put_back(
    model: Transformer, evaluator: Evaluator, data: TrainingData
):
    model.train()
    first, second = (evaluator.score(model, data.dev, "cpu").loss for _ in range(2))
    assert first == second
    assert model.training
    model.eval()
    evaluator.score(model, data.dev, "cpu")
    assert not model.training


def test_reserved_tokens_are_read_but_not_scored(
    model: Transformer, evaluator: Evaluator, data: TrainingData
):
    tokens = data.tokenizer.encode_documents(["The cat.", "The dog barks.", "T"])
    score = evaluator.score(model, tokens, "cpu")
    kept = [p for p, t in zip(log_probabilities(model, tokens), tokens[1:], strict=True) if t >= 7]
    assert data.tokenizer.n_reserved == 7
    assert score.n_tokens == len(kept) == len("The cat.The dog barks.T") - 1
    assert score.loss == pytest.approx(-np.mean(kept), rel=1e-6)


def test_unknown_characters_are_scored_and_counted(
    model: Transformer, evaluator: Evaluator, data: TrainingData
):
    score = evaluator.score(model, data.tokenizer.encode_documents(["The §at% purrs."]), "cpu")
    assert (score.n_tokens, score.n_unknown) == (14, 2)


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_bits_per_byte_count_the_bytes_of_the_text(kind: str):
    text = "naïve 猫 café 👩‍🚀 — " * 40
    tokenizer, _ = build_tokenizer(kind, [text], None if kind == "char" else 300)
    tokens = tokenizer.encode_documents([text])
    torch.manual_seed(0)
    model = Transformer(ModelConfig(tokenizer.vocab_size, LENGTH, n_layers=1, n_heads=2, d_model=16))
    score = Evaluator(tokenizer, LENGTH).score(model, tokens, "cpu")
    first = len(tokenizer.token_bytes(int(tokens[0])))  # read, not predicted
    assert score.n_bytes == len(text.encode()) - first
    assert score.bits_per_byte == pytest.approx(score.loss * score.n_tokens / math.log(2) / score.n_bytes)


def test_a_uniform_model_over_bytes_has_the_bits_of_its_vocabulary():
    assert Score(math.log(256), n_tokens=10, n_bytes=10).bits_per_byte == pytest.approx(8)
    assert Score(math.log(256), n_tokens=10, n_bytes=40).bits_per_byte == pytest.approx(2)


def test_scoring_and_sampling_leave_the_random_state_alone(
    model: Transformer, evaluator: Evaluator, data: TrainingData
):
    before = torch.get_rng_state()
    evaluator.score(model, data.dev, "cpu")
    Engine(model, data.tokenizer).generate("The", SamplingOptions(max_tokens=20, seed=1))
    Engine(model, data.tokenizer).generate("The", SamplingOptions(max_tokens=20))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stream_without_targets_has_no_tokens(model: Transformer, evaluator: Evaluator, data: TrainingData):
    for text in ("", "T"):
        assert evaluator.score(model, data.tokenizer.encode_documents([text]), "cpu").n_tokens == 0


# ---------------------------------------------------------------------- the counted bigram


def naive_bigram(tokenizer: Tokenizer, train: list[int], tokens: list[int]) -> float:
    """Witten–Bell (method C) on pairs, add-one on single tokens, pair by pair."""
    size = tokenizer.vocab_size
    single, pairs = Counter(train), Counter(itertools.pairwise(train))
    losses = []
    for before, after in itertools.pairwise(tokens):
        if after < tokenizer.n_reserved and after != tokenizer.unknown:
            continue
        unigram = (single[after] + 1) / (len(train) + size)
        row = {pair: count for pair, count in pairs.items() if pair[0] == before}
        kinds, total = len(row), sum(row.values())
        p = (pairs[before, after] + kinds * unigram) / (total + kinds) if total else unigram
        losses.append(-math.log(p))
    return sum(losses) / len(losses)


def test_the_bigram_is_counted_and_smoothed_as_it_says(evaluator: Evaluator, data: TrainingData):
    train = data.tokenizer.encode_documents(["The cat purrs.", "A dog barks in the barn."])
    held_out = data.tokenizer.encode_documents(["The owl hoots.", "The § hums."])  # unseen rows and pairs too
    score = evaluator.bigram_score(count_pairs(train, data.tokenizer.vocab_size), held_out)
    assert score.loss == pytest.approx(naive_bigram(data.tokenizer, train.tolist(), held_out.tolist()))
    assert score.n_tokens == len("The owl hoots.The § hums.") - 1


def test_bigram_probabilities_of_a_row_sum_to_one(evaluator: Evaluator, data: TrainingData):
    size, train = data.tokenizer.vocab_size, data.train[:500].astype(np.int64)
    counts, total = count_pairs(train, size), 0.0
    for after in range(size):
        if after >= 7 or after == data.tokenizer.unknown:
            total += math.exp(-evaluator.bigram_score(counts, np.array([train[0], after])).loss)
        else:  # reserved targets are not scored; their smoothed mass is worked out by hand
            row = Counter(b for a, b in itertools.pairwise(train) if a == train[0])
            unigram = ((train == after).sum() + 1) / (len(train) + size)
            total += (row[after] + len(row) * unigram) / (row.total() + len(row))
    assert total == pytest.approx(1)


# ---------------------------------------------------------------------- the splits behind the numbers


@pytest.mark.skipif(not TINYSHAKESPEARE.exists(), reason=f"needs {TINYSHAKESPEARE}")
def test_tinyshakespeare_is_cut_where_nanogpt_cuts():
    corpus = read(TINYSHAKESPEARE)
    splits = split_corpus(corpus, seed=0, dev_fraction=0.05)
    data = tokenise(corpus, splits, build_tokenizer("char", [splits.train[0].text])[0])
    sizes = [len(part) - 1 for part in (data.train, data.dev, data.validation)]  # without end-of-text
    assert sizes == [1_003_854 - 50_192, 50_192, 111_540]
    assert data.tokenizer.n_symbols == 65
    assert (
        data.validation[:-1].tolist() == data.tokenizer.encode(corpus.documents[0].text[-111_540:]).tolist()
    )
