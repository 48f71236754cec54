"""A decoder-only transformer in plain torch, for you to write, piece by piece.

Every body that raises NotImplementedError is yours; its docstring says what it takes, what it gives and where it comes
from. Write them from top to bottom. After each one, `pellucid lesson check` in this folder says whether it is right.

What each `__init__` makes is given, because the tests lend your model the weights of another one by these names. No
layer has a bias. The papers: [1] Vaswani et al. 2017, "Attention Is All You Need"; others where they are used.

Shapes: B batch, T time, C d_model, H heads, K key/value heads, D head size (C / H), F d_ff, V vocabulary, L layers.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True)
class Config:
    """The shape of a model. K is H but for the stretch, where n_kv_heads is smaller."""

    vocab_size: int = 64
    context_length: int = 64
    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: int = 4
    d_model: int = 64
    d_ff: int = 256


# ---------------------------------------------------------------------- 1  tokens in, logits out


def embed(ids: Tensor, table: Tensor) -> Tensor:
    """The vector of each token: row `id` of the table. ids (B, T) of whole numbers, table (V, C) → (B, T, C)."""
    raise NotImplementedError("index the table with the ids")


def head(x: Tensor, weight: Tensor) -> Tensor:
    """A number for each token that might come next, the logits: x · weightᵀ. x (B, T, C), weight (V, C) → (B, T, V)."""
    raise NotImplementedError("multiply by the transposed weight; no softmax yet: the loss takes it")


# ---------------------------------------------------------------------- 2  who may see whom


def causal_mask(n_tokens: int) -> Tensor:
    """(T, T) of bool: [i, j] is True where token i may look at token j, which is j ≤ i ([1], section 3.2.3)."""
    raise NotImplementedError("ones, and of them the lower triangle with its diagonal")


# ---------------------------------------------------------------------- 3  one head of attention


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """softmax(q · kᵀ / √D) · v, the softmax over the keys ([1], section 3.2.1).

    q, k, v are (…, T, D) with any leading axes, mask is (T, T) of bool → (…, T, D). Where the mask is False the score
    becomes −∞ before the softmax, so that its weight is 0 and the others still sum to 1.
    """
    raise NotImplementedError(
        "scores (…, T, T), scale, masked_fill with -math.inf, softmax over the last axis, times v"
    )


# ---------------------------------------------------------------------- 4  many heads (and a stretch)


def repeat_heads(x: Tensor, n_heads: int) -> Tensor:
    """Stretch: K key/value heads serve H query heads (Ainslie et al. 2023, "GQA", section 2.2).

    (B, K, T, D) → (B, H, T, D). Query heads 0 … H/K − 1 get head 0, the next H/K get head 1, and so on. With K = H
    nothing changes.
    """
    raise NotImplementedError("stretch: repeat each head H/K times in place; leave it for later if you like")


def unchanged(x: Tensor) -> Tensor:
    """What turns nothing."""
    return x


class MultiHeadAttention(nn.Module):
    """H heads look at the text side by side, and `out` mixes what they found ([1], section 3.2.2)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads = config.n_heads, config.n_kv_heads
        self.head_dim = config.d_model // config.n_heads
        self.qkv = nn.Linear(config.d_model, (self.n_heads + 2 * self.n_kv_heads) * self.head_dim, bias=False)
        self.out = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(self, x: Tensor, mask: Tensor, rotate: Callable[[Tensor], Tensor] = unchanged) -> Tensor:
        """(B, T, C) → (B, T, C).

        `qkv` gives all queries, keys and values at once: of its output the first H·D channels are queries, the next K·D
        keys, the last K·D values, and D neighbours are a head. Each part becomes (B, H or K, T, D); `rotate` turns
        queries and keys (not values); where K < H, keys and values go through `repeat_heads`; then `attention`, the
        heads side by side again (B, T, C), and `out`.
        """
        raise NotImplementedError(
            "project, split into heads (view, transpose), rotate, attend, join, project"
        )


# ---------------------------------------------------------------------- 5  where a token stands


def rotary(x: Tensor, base: float = 10_000.0) -> Tensor:
    """Queries or keys, turned by their position (Su et al. 2021, "RoFormer", section 3.2.2). (…, T, D) → (…, T, D).

    Channel i is paired with channel i + D/2. At position t (from 0) the pair (a, b) becomes
    (a cos − b sin, b cos + a sin) of the angle t · base^(−2i / D), for i = 0 … D/2 − 1.
    """
    raise NotImplementedError("angles (T, D/2), the two halves of x, and the two halves turned, side by side")


# ---------------------------------------------------------------------- 6  one scale for all


class RMSNorm(nn.Module):
    """Every token's channels over their root mean square (Zhang & Sennrich 2019, section 3)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        """x / √(mean(x²) + 1e-5) · weight, the mean over a token's channels. (B, T, C) → (B, T, C)."""
        raise NotImplementedError("the mean square over the last axis, kept as an axis of size 1")


# ---------------------------------------------------------------------- 7  each token by itself


class FeedForward(nn.Module):
    """Two layers with a squared ReLU between ([1], section 3.3; So et al. 2021, "Primer", section 3.1)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """down(max(0, up(x))²). (B, T, C) → (B, T, F) → (B, T, C)."""
        raise NotImplementedError("up, ReLU, square, down")


# ---------------------------------------------------------------------- 8  a block


class Block(nn.Module):
    """Tokens look at one another, then each thinks by itself; both add to x (Radford et al. 2019, section 2.3)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model)
        self.attention = MultiHeadAttention(config)
        self.feedforward_norm = RMSNorm(config.d_model)
        self.feedforward = FeedForward(config)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x + attention(norm(x)), with `rotary`; then so with feedforward and its own norm. (B, T, C) → (B, T, C)."""
        raise NotImplementedError("two sums, each of x and what a part makes of the normed x")


# ---------------------------------------------------------------------- 9  the whole


class Model(nn.Module):
    """Token ids in, logits of the token that follows each of them out."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.initialise()

    def initialise(self) -> None:
        """Random weights of mean 0 and standard deviation 0.02 in every matrix; 0.02 / √(2L) in each `out` and `down`.

        2L sums go into the stream x, whose scale so stays what it was (Radford et al. 2019, section 2.3). Norms keep 1.
        """
        raise NotImplementedError("over named_parameters(): nn.init.normal_, by the end of the name")

    def forward(self, ids: Tensor) -> Tensor:
        """embed, the blocks in turn (all with one causal mask), the norm, the head. (B, T) → (B, T, V)."""
        raise NotImplementedError("use self.embedding.weight and self.head.weight with your two functions")


# ---------------------------------------------------------------------- 10  how wrong it is


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all tokens of −ln p(target), p the softmax of the logits. (B, T, V), (B, T) → a number, in nats.

    targets[b, t] is the token after ids[b, t] already: nothing is shifted here.
    """
    raise NotImplementedError("log_softmax, and of it the place of each target (gather); or F.cross_entropy")


# ---------------------------------------------------------------------- 11  words


def next_token(logits: Tensor, temperature: float = 1.0, top_k: int = 0) -> Tensor:
    """The probabilities of the next token: softmax(logits / temperature). (V,) → (V,), which sum to 1.

    top_k > 0 leaves the k likeliest tokens alone, and they still sum to 1. Temperature 0 gives the likeliest token 1.
    """
    raise NotImplementedError("cut to the top k with -math.inf first (torch.topk), then the softmax")


def generate(
    model: Model,
    ids: Tensor,
    n_tokens: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    top_k: int = 0,
) -> Tensor:
    """`ids` (T,) and n_tokens more, each drawn by `next_token` from the logits of the last place. → (T + n,).

    The model never reads more than the last config.context_length tokens.
    """
    raise NotImplementedError(
        "n times: read the end, take the last logits, torch.multinomial(…, generator=generator)"
    )


# ---------------------------------------------------------------------- 12  learning


def batch(tokens: Tensor, size: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Windows of the text at random places, and the token that comes next at each place of each.

    tokens (N,) → ids (B, T), targets (B, T) with B `size` and T `length`; the places are one
    torch.randint(N − length, (size,), generator=generator).
    """
    raise NotImplementedError(
        "for each start: tokens[start : start + length], and the same one later; torch.stack"
    )


def train(
    model: Model, tokens: Tensor, steps: int, generator: torch.Generator, size: int = 16, lr: float = 3e-3
) -> list[float]:
    """Steps of torch.optim.AdamW(model.parameters(), lr=lr); returns the loss of each.

    A step: one `batch` of windows of config.context_length, its loss, the gradients of that alone, one optimizer step.
    """
    raise NotImplementedError("batch, model, loss, zero_grad, backward, step")


def main() -> None:
    """`python model.py BOOK.txt`: learn a text character by character, and write some."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    symbols = sorted(set(text))
    number = {symbol: place for place, symbol in enumerate(symbols)}
    tokens = torch.tensor([number[symbol] for symbol in text])
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = Model(Config(vocab_size=len(symbols)))
    for _ in range(10):
        losses = train(model, tokens, 100, generator)
        print(f"loss {sum(losses) / len(losses):.3f} nats a character")
    print("".join(symbols[i] for i in generate(model, tokens[:1], 300, generator, temperature=0.8)))


if __name__ == "__main__":
    main()
