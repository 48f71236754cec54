"""A model of a person's own code behind the transformer's interface.

Only code that has been loaded can be built: what may be loaded is decided in training/own_code.py.

Shapes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig, OwnCode

Make = Callable[[ModelConfig], nn.Module]
_LOADED: dict[tuple[str, str], Make] = {}  # by the file's sha256 and the name of the class


def know(own: OwnCode, make: Make) -> None:
    """Remember how models of this code, which has been loaded, are made."""
    _LOADED[own.sha256, own.name] = make


def is_known(own: OwnCode) -> bool:
    """Whether its code has been loaded in this process."""
    return (own.sha256, own.name) in _LOADED


class OwnModel(nn.Module):
    """The model `own`, which turns ids (B, T) into logits (B, T, V), called as all others are.

    It has no cache, and knows nothing of padding or of several documents in a row: it is never asked to.

    Raises:
        InputError: its code has not been loaded, or it cannot be built.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.own is not None
        if not is_known(config.own):
            raise InputError(
                f"the code of {config.own.name} has not been loaded: load the run, or name its file"
            )
        self.config = config
        self.own = _LOADED[config.own.sha256, config.own.name](config)

    def forward(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        real: Tensor | None = None,
        documents: Tensor | None = None,
        cache: KVCache | None = None,
        last_only: bool = False,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) of the token after each of `ids` (B, T), (B, 1, V) with `last_only`, or (N, V) `wanted`."""
        assert real is None and documents is None and cache is None, (
            "a model of one's own has no masks and no cache"
        )
        logits = logits_in(self.own(ids))
        if wanted is not None:
            return logits[wanted]
        return logits[:, -1:] if last_only else logits


def logits_in(given: Any) -> Any:
    """The logits in what a forward pass gave: themselves, the first of a tuple, or `.logits`."""
    given = getattr(given, "logits", given)
    return given[0] if isinstance(given, tuple | list) and given else given
