"""What the checks of the exercises are made of: an answer is called, and what is not right yet gets one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

CLOSE = 1e-5


class NotYet(Exception):
    """An answer that is not right yet, and what to look at."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the sentence, not the way through this file."""
        return [f"Not yet: {self}"]


def right(told: str = "") -> None:
    """Says so."""
    print(f"Right. {told}".strip())


def need(holds: object, help: str) -> None:
    """Raises: NotYet with the help where something does not hold."""
    if not holds:
        raise NotYet(help)


def called(answer: Callable[..., Any], *given: Any) -> Any:
    """What the answer gives, or in one sentence why it gives nothing.

    Raises:
        NotYet: it fails, or nothing was written yet.
    """
    name = getattr(answer, "__name__", "the answer")
    try:
        found = answer(*given)
    except Exception as error:
        raise NotYet(f"{name} stops with {type(error).__name__}: {error}") from None
    need(found is not None and found is not ..., f"{name} gives nothing back. Write it where the dots are.")
    return found


def number(answer: Callable[..., Any], *given: Any) -> float:
    """The same for an answer that is one number."""
    found = called(answer, *given)
    try:
        return float(found)
    except (TypeError, ValueError):
        raise NotYet(f"{answer.__name__} should give one number, not {type(found).__name__}.") from None


def tensor(answer: Callable[..., Any], shape: Sequence[int], *given: Any) -> Tensor:
    """The same for an answer that is a tensor of a known shape."""
    found = called(answer, *given)
    need(isinstance(found, Tensor), f"{answer.__name__} should give a tensor, not {type(found).__name__}.")
    need(
        tuple(found.shape) == tuple(shape),
        f"{answer.__name__} gives the shape {tuple(found.shape)}; wanted is {tuple(shape)}.",
    )
    return found


def close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    return torch.allclose(one.double(), other.double(), atol=CLOSE, rtol=1e-4)
