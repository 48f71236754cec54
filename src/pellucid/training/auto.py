"""`auto`: model and recipe chosen from the text, the budget and this machine, each choice with its reason.

The smaller sizes were found by measuring at a fixed number of operations (docs/LOG.md, "Sizes for auto"): a model that
is too large for its budget loses more than one that is too small. RMSNorm, rotary positions, QK-norm and SwiGLU
together are a shape that other programs know (Qwen 3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from pellucid.training.machine import Machine

SHARE_OF_PEAK = 0.35  # of the probed matrix-product speed, what a training step of a small model reaches
FORWARD_AND_BACKWARD = 3  # backward costs twice the forward pass


@dataclasses.dataclass(frozen=True)
class Size:
    """A rung of the ladder; it is chosen once the budget affords `flops`."""

    flops: float
    n_layers: int
    d_model: int
    n_heads: int
    context_length: int
    batch_size: int
    lr: float


# fmt: off
LADDER = (
    Size(0,     2,  64,  2,   64, 16, 5e-3),
    Size(2e11,  4, 128,  4,   64, 16, 3e-3),
    Size(2e12,  4, 128,  4,  128,  8, 3e-3),
    Size(2e13,  4, 192,  6,  128, 12, 3e-3),
    Size(5e13,  4, 256,  4,  128, 16, 3e-3),
    Size(1e14,  6, 256,  4,  256, 16, 3e-3),
    Size(4e14,  6, 384,  6,  256, 16, 3e-3),
    Size(4e15,  8, 512,  8,  512, 32, 2e-3),
    Size(4e16, 12, 768, 12, 1024, 64, 1e-3),
)
# fmt: on


@dataclasses.dataclass(frozen=True)
class Choice:
    """Settings for ModelConfig and TrainConfig, and why, a line each."""

    model: dict[str, Any]
    training: dict[str, Any]
    reasons: list[str]


def choose(
    n_tokens: int,
    vocab_size: int,
    kind: str,
    machine: Machine,
    minutes: float = 0.0,
    train_tokens: float = 0.0,
    given: Collection[str] = (),
) -> Choice:
    """A model and recipe for a budget of `minutes`, or of `train_tokens` to be read.

    Args:
        n_tokens: of the training split.
        kind: of tokens, "char", "bpe" or "wordpiece".
        given: names of settings that will be laid over these: no reasons are given for them.
    """
    if minutes:
        flops = 60 * minutes * machine.flops * SHARE_OF_PEAK
        because = f"{minutes:g} minutes at about {machine.flops * SHARE_OF_PEAK / 1e9:,.0f} GFLOP/s"
    else:
        flops = _flops_to_read(train_tokens)
        because = "the number of tokens to read"
    size = [rung for rung in LADDER if rung.flops <= flops][-1]
    context = size.context_length
    while context > 8 and context >= n_tokens // 4:
        context //= 2
    size = dataclasses.replace(size, batch_size=-(-size.batch_size // machine.processes) * machine.processes)
    model = _model(size, context, kind)
    chosen = {
        "n_layers": f"{size.n_layers} layers",
        "d_model": f"d_model {size.d_model}",
        "context_length": f"context {context}",
        "batch_size": f"batch {size.batch_size}",
    }
    own = [text for name, text in chosen.items() if name not in given]
    reasons = [f"size: {', '.join(own)}, because of {because}"] if own else []
    per_token = 2 * FORWARD_AND_BACKWARD * (12 * size.n_layers * size.d_model**2 + vocab_size * size.d_model)
    epochs = flops / per_token / n_tokens
    model["dropout"] = _dropout(epochs)
    if model["dropout"] and "dropout" not in given:
        reasons.append(f"dropout {model['dropout']}, because the text will be read about {epochs:.0f} times")
    return Choice(model, _training(size), reasons)


def all_choices() -> list[Choice]:
    """What `choose` may choose, smallest first."""
    return [Choice(_model(size, size.context_length, "char"), _training(size), []) for size in LADDER]


def _model(size: Size, context_length: int, kind: str) -> dict[str, Any]:
    return {
        "n_layers": size.n_layers,
        "d_model": size.d_model,
        "n_heads": size.n_heads,
        "context_length": context_length,
        "positions": "rotary",
        "norm": "rmsnorm",
        "qk_norm": True,
        "activation": "swiglu",
        # a large vocabulary's two tables would be most of a small model
        "tie_embeddings": kind != "char",
    }


def _training(size: Size) -> dict[str, Any]:
    return {"batch_size": size.batch_size, "lr": size.lr}


def _dropout(epochs: float) -> float:
    """More repetition wants more dropout."""
    return 0.0 if epochs < 4 else 0.1 if epochs < 12 else 0.2


def _flops_to_read(tokens: float) -> float:
    """The cost of reading so many tokens with the largest model of the ladder that they can feed."""
    best = 0.0
    for size in LADDER:
        cost = 2 * FORWARD_AND_BACKWARD * 12 * size.n_layers * size.d_model**2 * tokens
        if cost >= size.flops:
            best = max(best, size.flops)
    return best
