"""A fresh model guesses evenly; trained on one batch it learns it by heart; accumulated gradients are the batch's."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import IGNORE, LanguageModel, build_model, next_token_loss

VERSE = """\
First Citizen:
Before we proceed any further, hear me speak.

All:
Speak, speak.

First Citizen:
You are all resolved rather to die than to famish?

All:
Resolved. resolved.

First Citizen:
First, you know Caius Marcius is chief enemy to the people.

All:
We know't, we know't.
"""
MINI: dict[str, Any] = {
    "context_length": 128,
    "d_ff": 512,
    "positions": "learned",
    "norm": "layernorm",
    "activation": "relu",
}
LEARNERS: dict[str, dict[str, Any]] = {
    "learned, layernorm, relu": {"positions": "learned", "norm": "layernorm", "activation": "relu"},
    "the same, tied, biases": MINI | {"tie_embeddings": True, "bias": True},
    "rotary, rmsnorm, swiglu, grouped": {"activation": "swiglu", "n_kv_heads": 2},
    "rotary, QK-norm, relu2, multi-query": {"qk_norm": True, "n_kv_heads": 1},
    "learned, rmsnorm, gelu": {"positions": "learned", "activation": "gelu"},
}


def verse() -> Tensor:
    symbols = sorted(set(VERSE))
    return torch.tensor([symbols.index(symbol) for symbol in VERSE])


def batch_of_verse() -> tuple[Tensor, Tensor]:
    """256 tokens and their successors, (4, 64) each."""
    ids = verse()[:257]
    return ids[:-1].view(4, 64), ids[1:].view(4, 64)


def train(model: LanguageModel, ids: Tensor, targets: Tensor, rate: float, steps: int = 100) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        next_token_loss(model(ids), targets).backward()
        optimizer.step()
    with torch.no_grad():
        return next_token_loss(model(ids), targets).item()


# ---------------------------------------------------------------------- before training


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_mini_starts_within_2_percent_of_an_even_guess(seed, dropout):
    torch.manual_seed(seed)
    model = build_model(ModelConfig(vocab_size=65, tie_embeddings=True, dropout=dropout, **MINI))
    ids = torch.randint(65, (16, 129))
    with torch.no_grad():
        loss = next_token_loss(model(ids[:, :-1]), ids[:, 1:]).item()
    assert loss == pytest.approx(math.log(65), rel=0.02)


def test_mini_starts_within_2_percent_of_an_even_guess_on_verse():
    """On average over seeds: one start alone strays by about 1 %, for a few symbols make up most of a text."""
    ids, losses = verse()[:257].unfold(0, 129, 128), []
    for seed in range(8):
        torch.manual_seed(seed)
        model = build_model(ModelConfig(vocab_size=65, tie_embeddings=True, **MINI))
        with torch.no_grad():
            losses.append(next_token_loss(model(ids[:, :-1]), ids[:, 1:]).item())
    assert sum(losses) / len(losses) == pytest.approx(math.log(65), rel=0.02)
    assert max(abs(loss / math.log(65) - 1) for loss in losses) < 0.04


def test_the_bigram_starts_at_exactly_an_even_guess():
    model = build_model(ModelConfig(vocab_size=65, architecture="bigram"))
    ids = torch.randint(65, (4, 33))
    loss = next_token_loss(model(ids[:, :-1]), ids[:, 1:]).item()
    assert loss == pytest.approx(math.log(65), rel=1e-6)


# ---------------------------------------------------------------------- one batch by heart


@pytest.mark.parametrize("settings", LEARNERS.values(), ids=LEARNERS)
def test_one_batch_is_learnt_by_heart_in_100_steps(settings):
    ids, targets = batch_of_verse()
    model = build_model(ModelConfig(vocab_size=65, n_layers=2, **settings), "explicit")
    assert train(model, ids, targets, rate=3e-3) < 0.05


def test_mini_learns_one_batch_by_heart_in_100_steps():
    ids, targets = batch_of_verse()
    model = build_model(ModelConfig(vocab_size=65, tie_embeddings=True, **MINI))
    assert train(model, ids, targets, rate=3e-3) < 0.05


def test_the_bigram_learns_the_counted_probabilities_and_no_more():
    ids, targets = batch_of_verse()
    model = build_model(ModelConfig(vocab_size=65, architecture="bigram"))
    loss = train(model, ids, targets, rate=0.5)

    counts = torch.zeros(65, 65)
    counts.index_put_((ids.flatten(), targets.flatten()), torch.ones(256), accumulate=True)
    seen = counts.sum(dim=1) > 0
    probabilities = counts[seen] / counts[seen].sum(dim=1, keepdim=True)
    entropy = -(torch.xlogy(counts[seen], probabilities)).sum().item() / 256  # nats, given the token before

    assert entropy <= loss <= entropy + 0.002
    table = next(model.parameters()).detach()
    torch.testing.assert_close(torch.softmax(table[seen], dim=1), probabilities, rtol=0, atol=0.01)
    assert (table[~seen] == 0).all()  # what was never seen is still an even guess


# ---------------------------------------------------------------------- loss and accumulation


def test_the_loss_is_the_mean_surprise_over_scored_targets():
    logits, targets = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    targets[0, :3] = IGNORE
    surprise = [
        -torch.log_softmax(logits[b, t], dim=0)[targets[b, t]].item()
        for b in range(2)
        for t in range(5)
        if targets[b, t] != IGNORE
    ]
    assert next_token_loss(logits, targets).item() == pytest.approx(sum(surprise) / 7, rel=1e-5)
    assert next_token_loss(logits, targets, "sum").item() == pytest.approx(sum(surprise), rel=1e-5)
    each = next_token_loss(logits, targets, "none")
    assert each.shape == (2, 5)
    assert (each[0, :3] == 0).all()


def test_an_ignored_target_gives_no_gradient():
    logits = torch.randn(1, 4, 7, requires_grad=True)
    targets = torch.tensor([[3, IGNORE, 2, IGNORE]])
    next_token_loss(logits, targets).backward()
    assert logits.grad is not None
    assert (logits.grad[0, [1, 3]] == 0).all()
    assert (logits.grad[0, [0, 2]] != 0).all()


@pytest.mark.parametrize("attend", ["fused", "explicit"])
@pytest.mark.parametrize("settings", LEARNERS.values(), ids=LEARNERS)
def test_accumulated_gradients_are_those_of_the_big_batch(settings, attend):
    """Normalised by all scored targets: a mean of means would weigh a nearly ignored part too much."""
    model = build_model(ModelConfig(vocab_size=65, n_layers=2, **settings), attend)
    ids, targets = torch.randint(65, (8, 24)), torch.randint(65, (8, 24))
    for row, ignored in enumerate((0, 23, 5, 24, 12, 1, 20, 0)):
        targets[row, :ignored] = IGNORE
    scored = (targets != IGNORE).sum()

    next_token_loss(model(ids), targets).backward()
    whole = gradients(model)
    for part, wanted in zip(ids.split(2), targets.split(2), strict=True):
        (next_token_loss(model(part), wanted, "sum") / scored).backward()
    for one, other in zip(whole, gradients(model), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def gradients(model: nn.Module) -> list[Tensor]:
    """Those gathered since the last call."""
    found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    return found
