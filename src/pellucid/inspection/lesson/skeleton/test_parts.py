"""What `pellucid lesson check` asks of model.py, piece by piece, of the parts; test_model.py goes on.

Each test compares your numbers with those of Pellucid's own parts, given the same weights. Where they differ, the
numbers that well-known mistakes would give (the suspects) are tried, and the one that gives yours is named.
"""

from __future__ import annotations

import math

import model as mine
import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.inspection.lesson.judging import numbers, reference, same
from pellucid.model import attention as theirs
from pellucid.model.positions import RotaryPositions, leave

SMALL = mine.Config(
    vocab_size=11, context_length=16, n_layers=2, n_heads=4, n_kv_heads=4, d_model=24, d_ff=40
)
GROUPED = mine.Config(
    vocab_size=11, context_length=16, n_layers=2, n_heads=4, n_kv_heads=2, d_model=24, d_ff=40
)
TRIANGLE = torch.ones(7, 7, dtype=torch.bool).tril()


def randomised(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """A module whose weights are all random and large enough to matter, norms too."""
    for place, weight in enumerate(module.parameters()):
        weight.data = 0.5 * numbers(*weight.shape, seed=seed + place) + (weight.dim() == 1)
    return module


class TestTokens:
    """embed and head"""

    def test_embed(self):
        table, ids = numbers(7, 4), torch.tensor([[0, 6, 3], [3, 3, 1]])
        rows = F.embedding(ids, table)
        same("embed(ids, table)", mine.embed(ids, table), rows, {"it is multiplied by √C": rows * 2})

    def test_head(self):
        x, weight = numbers(2, 3, 4), numbers(7, 4, seed=1)
        logits = F.linear(x, weight)
        suspects = {
            "softmax is taken already: the head gives logits, the loss takes the softmax": logits.softmax(-1),
            "log_softmax is taken already: the head gives logits": logits.log_softmax(-1),
        }
        same("head(x, weight)", mine.head(x, weight), logits, suspects)


class TestMask:
    """causal_mask"""

    def test_causal_mask(self):
        expected = theirs.causal_mask(5, 5, torch.device("cpu"))
        ones = torch.ones(5, 5, dtype=torch.bool)
        suspects = {
            "the mask is the wrong way round (triu for tril): tokens see what follows": ones.triu(),
            "True and False are exchanged: True means that a token may be seen": ~expected,
            "the mask is off by one: each token sees the next one, its answer": ones.tril(1),
            "a token does not see itself: the diagonal belongs to the triangle": ones.tril(-1),
            "nothing is hidden": ones,
        }
        same("causal_mask(5)", mine.causal_mask(5), expected, suspects)


class TestAttention:
    """attention, one head"""

    def test_attention(self):
        q, k, v = (2 * numbers(2, 7, 6, seed=seed) for seed in range(3))
        expected = theirs.explicit_attention(q[:, None], k[:, None], v[:, None], None)[:, 0]
        scores = q @ k.transpose(1, 2)
        hidden = (scores / math.sqrt(6)).masked_fill(~TRIANGLE, -math.inf)
        suspects = {
            "the mask is not used": (scores / math.sqrt(6)).softmax(-1) @ v,
            "the softmax runs over the queries: it must run over the keys, the last axis": (
                hidden.softmax(1) @ v
            ),
            "the softmax runs over the batch: it must run over the keys, the last axis": (
                hidden.softmax(0) @ v
            ),
            "1/√D is missing": scores.masked_fill(~TRIANGLE, -math.inf).softmax(-1) @ v,
            "the scores are divided by D, not by √D": (hidden / math.sqrt(6)).softmax(-1) @ v,
            "the scores are multiplied by √D: divide": (hidden * 6).softmax(-1) @ v,
            "the mask comes after the softmax, so that the weights no longer sum to 1": (
                (scores / math.sqrt(6)).softmax(-1).masked_fill(~TRIANGLE, 0) @ v
            ),
            "hidden scores become 0: they must become −∞ before the softmax": (
                hidden.masked_fill(~TRIANGLE, 0).softmax(-1) @ v
            ),
            "the mask is used the wrong way round: fill where it is False": (
                (scores / math.sqrt(6)).masked_fill(TRIANGLE, -math.inf).softmax(-1) @ v
            ),
            "the softmax is missing": hidden.masked_fill(~TRIANGLE, 0) @ v,
        }
        same("attention(q, k, v, causal mask)", mine.attention(q, k, v, TRIANGLE), expected, suspects)

    def test_the_mask_is_the_one_that_is_given(self):
        q, k, v = (numbers(2, 7, 6, seed=seed) for seed in range(3))
        expected = (q @ k.transpose(1, 2) / math.sqrt(6)).softmax(-1) @ v
        suspects = {"a causal mask is used, whatever mask is given": mine.attention(q, k, v, TRIANGLE)}
        given = mine.attention(q, k, v, torch.ones(7, 7, dtype=torch.bool))
        same("attention with a mask that hides nothing", given, expected, suspects)

    def test_any_leading_axes(self):
        """count axes from the end (-2, -1): there may be one or more before them"""
        q, k, v = (numbers(2, 4, 7, 6, seed=seed) for seed in range(3))
        expected = theirs.explicit_attention(q, k, v, None)
        same("attention of (B, H, T, D)", mine.attention(q, k, v, TRIANGLE), expected)


def heads(x: Tensor, layer: mine.MultiHeadAttention, bug: str = "", rotate=leave) -> Tensor:
    """Multi-head attention, right or with one bug."""
    B, T, C = x.shape
    H, D = layer.n_heads, layer.head_dim
    joined = layer.qkv(x)
    if bug == "interleaved":
        q, k, v = joined.view(B, T, H, 3 * D).transpose(1, 2).chunk(3, dim=-1)
    elif bug == "cut from time":
        q, k, v = (part.reshape(B, H, T, D) for part in joined.chunk(3, dim=-1))
    else:
        q, k, v = (part.view(B, T, H, D).transpose(1, 2) for part in joined.chunk(3, dim=-1))
    if bug == "keys first":
        q, k = k, q
    if bug == "values second":
        k, v = v, k
    q, k = (q, k) if bug == "not turned" else (rotate(q), k if bug == "keys not turned" else rotate(k))
    v = rotate(v) if bug == "values turned" else v
    scale = 1 / math.sqrt(C) if bug == "scale of C" else None
    mask = torch.ones(1, 1, T, T, dtype=torch.bool) if bug == "no mask" else None
    if bug == "one head":
        q, k, v = (part.transpose(1, 2).reshape(B, 1, T, C) for part in (q, k, v))
    mixed = theirs.explicit_attention(q, k, v, mask, scale=scale)
    mixed = mixed.reshape(B, T, C) if bug == "not joined" else mixed.transpose(1, 2).reshape(B, T, C)
    return mixed if bug == "no out" else layer.out(mixed)


class TestMultiHead:
    """MultiHeadAttention"""

    needs = (TestMask, TestAttention)

    def test_against_pellucid(self):
        layer, x = randomised(mine.MultiHeadAttention(SMALL)), numbers(2, 7, 24, seed=9)
        expected = reference(layer, SMALL)(x, theirs.Shared(x, leave))
        bugs = {
            "no mask": "the mask does not reach attention",
            "cut from time": "heads are cut from the wrong axis: view(B, T, H, D), and then transpose(1, 2)",
            "not joined": "the heads are joined without transposing back: transpose(1, 2), and then reshape(B, T, C)",
            "interleaved": "queries, keys and values are cut head by head: the first H·D channels are all queries",
            "keys first": "queries and keys are exchanged",
            "values second": "keys and values are exchanged",
            "scale of C": "the scale is 1/√C: each head has its own D",
            "one head": "there is one head of size C in place of H heads of size D",
            "no out": "`out` is not used",
        }
        suspects = {said: heads(x, layer, bug) for bug, said in bugs.items()}
        same("MultiHeadAttention(x, causal mask)", layer(x, TRIANGLE), expected, suspects)

    def test_rotate_turns_queries_and_keys(self):
        layer, x = randomised(mine.MultiHeadAttention(SMALL)), numbers(2, 7, 24, seed=9)
        turn = RotaryPositions(reference(mine.Model, SMALL).config).rotation(torch.arange(7))
        expected = reference(layer, SMALL)(x, theirs.Shared(x, turn))
        bugs = {
            "not turned": "`rotate` is not used",
            "values turned": "values are turned, too: queries and keys alone are",
            "keys not turned": "keys are not turned: queries and keys both are",
        }
        suspects = {said: heads(x, layer, bug, turn) for bug, said in bugs.items()}
        hint = "rotate heads (B, H, T, D), after view and transpose"
        same("MultiHeadAttention(x, mask, rotate)", layer(x, TRIANGLE, turn), expected, suspects, hint)


class TestGroupedQuery:
    """stretch: repeat_heads, grouped-query attention"""

    stretch = True
    needs = (TestMultiHead,)

    def test_repeat_heads(self):
        kv = numbers(2, 2, 7, 6)
        suspects = {
            "the heads take turns (0 1 0 1): each must be repeated in place (0 0 1 1)": kv.repeat(1, 2, 1, 1)
        }
        same("repeat_heads(kv, 4)", mine.repeat_heads(kv, 4), kv[:, [0, 0, 1, 1]], suspects)

    def test_against_pellucid(self):
        layer, x = randomised(mine.MultiHeadAttention(GROUPED)), numbers(2, 7, 24, seed=9)
        expected = reference(layer, GROUPED)(x, theirs.Shared(x, leave))
        same("MultiHeadAttention with 2 key/value heads for 4", layer(x, TRIANGLE), expected)


def turned(
    x: Tensor, first: int = 0, pairs: str = "halves", sign: int = 1, exponent: float = 2, axis: int = -2
) -> Tensor:
    """Rotary positions, right or with one bug. x (B, H, T, D)."""
    D, n = x.shape[-1], x.shape[axis]
    rates = 10_000.0 ** (-exponent * torch.arange(D // 2) / D)
    angles = sign * (torch.arange(n) + first)[:, None] * rates
    angles = angles[:, None] if axis == -3 else angles
    a, b = x.chunk(2, dim=-1) if pairs == "halves" else (x[..., ::2], x[..., 1::2])
    a, b = a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()
    return torch.cat((a, b), dim=-1) if pairs == "halves" else torch.stack((a, b), dim=-1).flatten(-2)


class TestRotary:
    """rotary"""

    def test_against_pellucid(self):
        """the position is the axis before the last, whatever stands before it"""
        x = numbers(2, 4, 7, 6)
        expected = RotaryPositions(reference(mine.Model, SMALL).config).rotation(torch.arange(7))(x)
        suspects = {
            "the rotation runs along the head axis: the position is the axis before the last": turned(
                x, axis=-3
            ),
            "neighbours 2i and 2i + 1 are paired: channel i goes with i + D/2": turned(x, pairs="neighbours"),
            "positions begin at 1: the first token is at 0, and is not turned": turned(x, first=1),
            "it turns the wrong way round: a cos − b sin, b cos + a sin": turned(x, sign=-1),
            "the exponent is −i / D: it must be −2i / D": turned(x, exponent=1),
            "all pairs turn at one speed: the angle shrinks with i": turned(x, exponent=0),
            "nothing is turned": x,
        }
        same("rotary(x)", mine.rotary(x), expected, suspects)

    def test_a_score_depends_on_the_distance_alone(self):
        q, k = numbers(1, 6).expand(7, 6), numbers(1, 6, seed=1).expand(7, 6)
        scores = mine.rotary(q) @ mine.rotary(k).T
        same(
            "scores of equal distance",
            scores[1:, 1:],
            scores[:-1, :-1],
            hint="both must be turned by their position",
        )


class TestNorm:
    """RMSNorm"""

    def test_against_pellucid(self):
        x, layer = 3 * numbers(2, 7, 24) + 1, randomised(mine.RMSNorm(24))
        expected = F.rms_norm(x, (24,), layer.weight, 1e-5)
        scale = lambda mean, x=x: x / (mean + 1e-5).sqrt() * layer.weight  # noqa: E731
        suspects = {
            "the mean is subtracted, as in LayerNorm: RMSNorm leaves it": F.layer_norm(
                x, (24,), layer.weight
            ),
            "the mean runs over time: it must run over the channels, the last axis": scale(
                x.square().mean(1, True)
            ),
            "the mean runs over everything: each token has its own": scale(x.square().mean()),
            "the squares are summed, not averaged": scale(x.square().sum(-1, True)),
            "the root is missing": x / (x.square().mean(-1, True) + 1e-5) * layer.weight,
            "`weight` is not used": F.rms_norm(x, (24,), None, 1e-5),
        }
        same("RMSNorm(x)", layer(x), expected, suspects)

    def test_a_token_of_zeros(self):
        given = mine.RMSNorm(24)(torch.zeros(1, 2, 24))
        same("RMSNorm of zeros", given, torch.zeros(1, 2, 24), hint="1e-5 is missing under the root")

    def test_a_token_of_small_numbers(self):
        x = torch.full((1, 2, 24), 1e-3)
        suspects = {"1e-5 is added outside the root": x / (1e-3 + 1e-5)}
        same("RMSNorm of numbers of 0.001", mine.RMSNorm(24)(x), F.rms_norm(x, (24,), None, 1e-5), suspects)


class TestFeedForward:
    """FeedForward"""

    def test_against_pellucid(self):
        x, layer = numbers(2, 7, 24, seed=9), randomised(mine.FeedForward(SMALL))
        up, down = layer.up, layer.down
        suspects = {
            "the square is missing": down(F.relu(up(x))),
            "the ReLU is missing: a square alone has no zeros": down(up(x).square()),
            "there is nothing between the two layers": down(up(x)),
            "the activation comes after `down`: it stands between the layers": F.relu(down(up(x))).square(),
            "it is a GELU": down(F.gelu(up(x))),
            "x is added here: the block does that": x + down(F.relu(up(x)).square()),
        }
        same("FeedForward(x)", layer(x), reference(layer, SMALL)(x), suspects)
