"""Answers to the exercises of docs/lessons: the right ones, whose source is put into the notebooks, and wrong ones.

Each right answer stands alone, with the imports that it needs, as a learner would write it.
"""

from __future__ import annotations

import math
from typing import Any

import torch


def bits_per_byte(probabilities, n_bytes):
    import math

    return -sum(math.log2(p) for p in probabilities) / n_bytes


def merge(ids, pair, new):
    merged, place = [], 0
    while place < len(ids):
        if tuple(ids[place : place + 2]) == pair:
            merged.append(new)
            place += 2
        else:
            merged.append(ids[place])
            place += 1
    return merged


def turned(x, position, frequency):
    import math

    import torch

    angle = position * frequency
    c, s = math.cos(angle), math.sin(angle)
    return torch.stack((x[0] * c - x[1] * s, x[0] * s + x[1] * c))


def attention(q, k, v):
    import math

    import torch

    T, D = q.shape
    scores = q @ k.T / math.sqrt(D)
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(later, -math.inf), dim=-1) @ v


def sliding_mask(n_queries, n_keys, window):
    import torch

    place = torch.arange(n_keys - n_queries, n_keys)[:, None]
    key = torch.arange(n_keys)
    return (key <= place) & (key > place - window)


def route(scores, k):
    best, chosen = scores.topk(k, dim=-1)
    return chosen, best.softmax(dim=-1)


def rms_norm(x, weight, eps):
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * weight


def count_parameters(V, C, L, F, T):
    return 2 * V * C + L * (4 * C * C + 2 * C * F + 2 * C) + C


def rate(step, total, warmup, peak):
    import math

    return peak * min(1, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / total))


def top_p(probabilities, p):
    import torch

    ordered, places = probabilities.sort(descending=True)
    stays = ordered.cumsum(0) - ordered < p
    stays[0] = True
    kept = torch.zeros_like(probabilities).scatter(0, places, ordered * stays)
    return kept / kept.sum()


def learned_tokens(turns):
    learned = []
    for role, n in turns:
        learned += [False] + [role == "assistant"] * (n + 1)
    return learned


def previous_token_score(weights):
    return weights.diagonal(-1, -2, -1).mean(-1)


def floor(p):
    import math

    syllables = p / (1 - p)
    bits = -syllables * math.log2(p) - math.log2(1 - p)
    return bits / (2 * syllables + 1)


RIGHT = {
    "01-text": bits_per_byte,
    "02-tokenizers": merge,
    "03-positions": turned,
    "04-attention": attention,
    "05-masks": sliding_mask,
    "06-feed-forward": route,
    "07-norm-and-residual": rms_norm,
    "08-the-whole": count_parameters,
    "09-training": rate,
    "10-using-it": top_p,
    "11-fine-tuning": learned_tokens,
    "12-looking-inside": previous_token_score,
    "13-fairy-tales": floor,
}


def _scores(q: Any, k: Any) -> Any:
    return q @ k.T / math.sqrt(q.shape[1])


def _seen(T: int) -> Any:
    return torch.ones(T, T, dtype=torch.bool).tril()


# the check, the answer, and what the help must speak of
WRONG = [
    ("bits_per_byte", lambda p, n: -sum(map(math.log, p)) / n, "nats"),
    ("bits_per_byte", lambda p, n: -sum(map(math.log2, p)) / len(p), "bytes they spell"),
    ("bits_per_byte", lambda p, n: "much", "one number"),
    ("bits_per_byte", lambda p, n: -math.log2(math.prod(p) ** 1.01) / n, "1 bit a byte"),
    ("merge", lambda ids, pair, new: ids, "becomes"),
    ("merge", lambda ids, pair, new: [9, 3, 9] if 3 in ids else [9, 9], "three in a row"),
    ("merge", lambda ids, pair, new: merge(ids, pair, new) if set(ids) != {1, 2} else [9], "order"),
    ("merge", lambda ids, pair, new: ids.clear() or [9, 3, 9], "make a new one"),
    ("turned", lambda x, m, f: turned(x, -m, f), "clockwise"),
    ("turned", lambda x, m, f: x, "right angle"),
    ("turned", lambda x, m, f: turned(x, m + 1, f), "position 0"),
    ("turned", lambda x, m, f: turned(x, m, f).tolist(), "tensor"),
    ("attention", lambda q, k, v: (_scores(q, k)).softmax(-1) @ v, "mask what comes later"),
    ("attention", lambda q, k, v: attention(q * q.shape[1] ** 0.5, k, v), "√D"),
    ("attention", lambda q, k, v: _scores(q, k).softmax(-1).tril() @ v, "before the softmax"),
    ("attention", lambda q, k, v: _scores(q, k).masked_fill(~_seen(7), -math.inf).softmax(0) @ v, "last dimension"),
    ("attention", lambda q, k, v: _scores(q, k).masked_fill(_seen(7).mT & ~_seen(7) | _seen(7), 0) @ v, "differs"),
    ("attention", lambda q, k, v: (e := _scores(q, k).exp().tril()) / e.sum(-1, keepdim=True) @ v, "large"),
    ("attention", lambda q, k, v: attention(q, k, v)[:3], "shape"),
    ("sliding_mask", lambda n, m, w: _seen(m)[m - n :], "itself alone"),
    ("sliding_mask", lambda n, m, w: sliding_mask(n, m, w + 1), "itself alone"),
    ("sliding_mask", lambda n, m, w: sliding_mask(n, m, w).int(), "boolean"),
    ("sliding_mask", lambda n, m, w: sliding_mask(m, m, w)[:n], "the query at place"),
    ("sliding_mask", lambda n, m, w: torch.ones(n, m, dtype=torch.bool), "later"),
    ("route", lambda s, k: (s.topk(k).indices, s.softmax(-1).gather(1, s.topk(k).indices)), "add up to 1"),
    ("route", lambda s, k: (s.topk(k).indices, torch.full((len(s), k), 1 / k)), "greater weight"),
    ("route", lambda s, k: (s.topk(k, largest=False).indices, s.topk(k).values.softmax(-1)), "Chosen are"),
    ("route", lambda s, k: s.topk(k).indices, "two things"),
    ("rms_norm", lambda x, w, e: torch.nn.functional.layer_norm(x, (16,), w, None, e), "LayerNorm"),
    ("rms_norm", lambda x, w, e: rms_norm(x, 1, e), "weight is missing"),
    ("rms_norm", lambda x, w, e: x / x.square().sum(-1, keepdim=True).sqrt() * w, "mean of the squares"),
    ("rms_norm", lambda x, w, e: x / x.square().mean().sqrt() * w, "Each token by itself"),
    ("rms_norm", lambda x, w, e: rms_norm(x, w, 0), "NaN"),
    ("rms_norm", lambda x, w, e: x / (x.square().mean(-1, keepdim=True).sqrt() + e) * w, "under the root"),
    ("count_parameters", lambda V, C, L, F, T: count_parameters(V, C, L, F, T) + T * C, "no table"),
    ("count_parameters", lambda V, C, L, F, T: count_parameters(V, C, L, F, T) - V * C, "two matrices of V"),
    ("count_parameters", lambda V, C, L, F, T: count_parameters(V, C, L, F, T) - C, "one more norm"),
    ("count_parameters", lambda V, C, L, F, T: count_parameters(V, C, L, F, T) - L * C * C, "four matrices"),
    ("count_parameters", lambda V, C, L, F, T: 7, "off by"),
    ("rate", lambda step, total, warmup, peak: peak, "first of 10"),
    ("rate", lambda step, total, warmup, peak: peak * min(1, (step + 1) / warmup), "cosine"),
    ("rate", lambda step, total, warmup, peak: rate(step, total, 10, peak), "Step 0 of 37"),
    ("top_p", lambda given, p: given * torch.tensor([0, 1, 0, 1]), "sum"),
    ("top_p", lambda given, p: torch.tensor([0.0, 1.0, 0.0, 0.0]), "reaches p stays"),
    ("top_p", lambda given, p: torch.tensor([0, 2 / 3, 0, 1 / 3]), "nothing is cut"),
    ("learned_tokens", lambda turns: [role == "assistant" for role, n in turns], "make 7"),
    ("learned_tokens", lambda turns: [r == "assistant" for r, n in turns for _ in range(n + 2)], "begins the reply"),
    ("learned_tokens", lambda turns: [*learned_tokens(turns)[:-1], False], "when to stop"),
    ("learned_tokens", lambda turns: [False] * 4 + [True] * 3, "other tokens"),
    ("previous_token_score", lambda w: w.diagonal(-1, -2, -1).sum(-1) / w.shape[-1], "T - 1"),
    ("previous_token_score", lambda w: w.diagonal(0, -2, -1).mean(-1), "the token itself"),
    ("previous_token_score", lambda w: w.diagonal(1, -2, -1).mean(-1), "has 1"),
    ("floor", lambda p: floor(p) * math.log(2), "nats"),
    ("floor", lambda p: 1.0, "end of a story"),
    ("floor", lambda p: 2.0, "divide"),
    ("floor", lambda p: 2 / 3, "With p = 0.1"),
]  # fmt: skip
