"""What the lesson's tests judge with: Pellucid's own parts, given the learner's weights, and the bugs to suspect.

Shapes: N tokens.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.model.attention import Attention, explicit_attention
from pellucid.model.config import ModelConfig
from pellucid.model.feedforward import FeedForward
from pellucid.model.transformer import Block, Transformer
from pellucid.text.tales.tales import write

TOLERANCE = 1e-5  # of the largest number compared, or of 1
SHOWN = 4  # numbers of each tensor


class Wrong(AssertionError):
    """A piece gives something else than it should."""

    def __init__(self, measured: str, expected: str, cause: str = "") -> None:
        self.measured, self.expected, self.cause = measured, expected, cause
        super().__init__(f"{measured}; expected {expected}" + (f". Likely cause: {cause}" if cause else ""))


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Normal random numbers, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def same(
    what: str,
    given: Any,
    expected: Tensor,
    suspects: Mapping[str, Tensor] | None = None,
    hint: str = "",
    tolerance: float = TOLERANCE,
) -> None:
    """Compare numbers, and find the bug that would give those that came.

    Args:
        what: was computed, as it can be read in a sentence.
        suspects: likely causes, each with the numbers that it would give.
        hint: the cause to name where no suspect fits.

    Raises:
        Wrong: they differ by more than `tolerance` times the largest expected number, or times 1.
    """
    if not isinstance(given, Tensor):
        cause = "a return is missing" if given is None else hint
        raise Wrong(f"{what} is {_kind(given)}", f"a tensor {tuple(expected.shape)}", cause)
    if _agree(given, expected, tolerance):
        return
    fitting = (cause for cause, numbers in (suspects or {}).items() if _agree(given, numbers, 10 * tolerance))
    cause = next(fitting, hint)
    if given.shape != expected.shape:
        raise Wrong(f"{what} has the shape {tuple(given.shape)}", f"{tuple(expected.shape)}", cause)
    if given.is_floating_point() != expected.is_floating_point() or (expected.dtype == torch.bool) != (
        given.dtype == torch.bool
    ):
        raise Wrong(f"{what} is of type {given.dtype}", f"{expected.dtype}", cause)
    if not given.isfinite().all():
        raise Wrong(
            f"{what} has {_beginning(given)}, with numbers that are not finite", _beginning(expected), cause
        )
    far = (given.double() - expected.double()).abs()
    place = tuple(int(i) for i in (far == far.max()).nonzero()[0])
    where = f"[{', '.join(map(str, place))}]" if place else ""
    raise Wrong(f"{what}{where} is {_shown(given[place])}", _shown(expected[place]), cause)


def _agree(given: Tensor, expected: Tensor, tolerance: float) -> bool:
    if given.shape != expected.shape or (given.dtype == torch.bool) != (expected.dtype == torch.bool):
        return False
    if given.is_floating_point() != expected.is_floating_point():
        return False
    largest = max(1.0, expected.abs().max().item()) if expected.is_floating_point() else 1.0
    return torch.allclose(given.double(), expected.double(), 0, tolerance * largest, equal_nan=True)


def _kind(value: object) -> str:
    return "nothing (None)" if value is None else f"a {type(value).__name__}"


def _beginning(tensor: Tensor) -> str:
    return ", ".join(_shown(number) for number in tensor.flatten()[:SHOWN]) + ", …"


def _shown(number: Tensor) -> str:
    value = number.item()
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def reference(mine: nn.Module | type, config: Any) -> nn.Module:
    """Pellucid's own part for one of the learner's, with the same weights; a class gives the whole model, untrained.

    Args:
        config: the learner's Config.
    """
    own = ModelConfig(
        vocab_size=config.vocab_size,
        context_length=config.context_length,
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        n_kv_heads=config.n_kv_heads,
        d_model=config.d_model,
        d_ff=config.d_ff,
        positions="rotary",
        norm="rmsnorm",
        norm_eps=1e-5,
        activation="relu2",
    )
    if isinstance(mine, type):
        return Transformer(own)
    made = {
        "MultiHeadAttention": functools.partial(Attention, own, attend=explicit_attention),
        "FeedForward": functools.partial(FeedForward, own),
        "Block": functools.partial(Block, own, 0, explicit_attention),
        "Model": functools.partial(Transformer, own, "explicit"),
    }[type(mine).__name__]()
    made.load_state_dict(mine.state_dict())
    return made.eval()


def tales(n_stories: int) -> tuple[Tensor, Tensor, int]:
    """Small fairy tales as characters: tokens (N,) to learn, tokens (N,) held out, and how many symbols there are."""
    stories = [write(0, index) for index in range(n_stories)]
    symbols = {symbol: place for place, symbol in enumerate(sorted(set("\n".join(stories))))}
    cut = n_stories * 9 // 10
    parts = ("\n".join(part) for part in (stories[:cut], stories[cut:]))
    learned, held_out = (torch.tensor([symbols[symbol] for symbol in part]) for part in parts)
    return learned, held_out, len(symbols)
