"""From logits to one token: pure functions.

Shapes: B sequences, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.generation.options import SamplingOptions

COLDEST = 1e-6  # below this, division by the temperature overflows float32: it is greedy in all but name
NEVER = -math.inf


def next_token_distribution(
    logits: Tensor, options: SamplingOptions, seen: Tensor | None = None, forbidden: Tensor | None = None
) -> Tensor:
    """The probabilities that the next token is drawn from: the softmax of `next_token_scores`, (B, V) float32."""
    return next_token_scores(logits, options, seen, forbidden).softmax(dim=-1)


def next_token_scores(
    logits: Tensor, options: SamplingOptions, seen: Tensor | None = None, forbidden: Tensor | None = None
) -> Tensor:
    """Logits of the tokens that may be drawn; -inf for those that are cut.

    In this order, which is that of Hugging Face transformers: forbidden tokens, repetition penalty,
    temperature, top-k, top-p, min-p (Nguyen et al. 2024, "Min-p Sampling", section 3); each sees only what
    the ones before it left, renormalised.

    Args:
        logits: (B, V) of any float type.
        options: temperature, top_k, top_p, min_p and repetition_penalty are used.
        seen: (B, V) bool, the tokens already in each text; needed for the repetition penalty.
        forbidden: (V,) bool, tokens that must not be produced.

    Returns:
        (B, V) float32, the likeliest at 0; at temperature 0 the likeliest (first) token alone is left.
    """
    scores = logits.float()
    if forbidden is not None:
        scores = scores.masked_fill(forbidden, NEVER)
    if seen is not None and options.repetition_penalty != 1:
        scores = torch.where(seen, penalised(scores, options.repetition_penalty), scores)
    if options.temperature < COLDEST:
        return torch.full_like(scores, NEVER).scatter_(-1, scores.argmax(dim=-1, keepdim=True), 0.0)
    scores = (
        scores - scores.amax(dim=-1, keepdim=True)
    ) / options.temperature  # the likeliest at 0: no overflow
    if 0 < options.top_k < scores.shape[-1]:
        least = scores.topk(options.top_k, dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < least, NEVER)  # tokens tied with the k-th stay
    if options.top_p < 1:
        scores = keep_top_p(scores, options.top_p)
    if options.min_p > 0:
        scores = scores.masked_fill(scores < math.log(options.min_p), NEVER)  # the likeliest is at 0
    return scores


def penalised(scores: Tensor, penalty: float) -> Tensor:
    """Logits moved away from being chosen (Keskar et al. 2019, "CTRL", section 4.1).

    A negative one is multiplied, as dividing it would make it likelier.
    """
    return torch.where(scores < 0, scores * penalty, scores / penalty)


def keep_top_p(scores: Tensor, p: float) -> Tensor:
    """The nucleus: the smallest set of likeliest tokens whose mass reaches `p`, never empty.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1. Of equally likely
    tokens the first ones are kept. Scores (B, V) outside the set become -inf.
    """
    descending, order = scores.sort(dim=-1, descending=True, stable=True)
    probabilities = descending.softmax(dim=-1)
    mass_before = probabilities.cumsum(dim=-1) - probabilities
    outside = mass_before >= p
    outside[:, 0] = False  # whatever is smaller than float32 can tell from 0
    return scores.masked_fill(torch.zeros_like(outside).scatter_(-1, order, outside), NEVER)


def draw(probabilities: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """One token a row, (B,) int64, each by one uniform number of its own generator.

    A row therefore draws the same token whatever stands in the other rows. On the CPU in float64, because a
    float32 cumulative sum over a large vocabulary loses its rare tokens, and MPS has no float64.

    Args:
        probabilities: (B, V), not necessarily normalised, on the CPU.
        generators: B generators of the CPU.
    """
    uniform = torch.stack([torch.rand(1, generator=own, dtype=torch.float64) for own in generators])  # (B, 1)
    return _drawn(probabilities, uniform).squeeze(-1)


def draw_many(probabilities: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """`n` independent draws from one distribution (V,), as `draw` makes them: (n,) int64."""
    uniform = torch.rand(1, n, generator=generator, dtype=torch.float64)
    return _drawn(probabilities[None], uniform)[0]


def _drawn(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The tokens that uniform numbers (B, n) pick from (B, V): (B, n) int64."""
    cumulative = probabilities.double().cumsum(dim=-1)
    target = uniform * cumulative[:, -1:]  # below the total: `uniform` is 1 - 2⁻⁵³ at most
    return torch.searchsorted(cumulative, target, right=True)
