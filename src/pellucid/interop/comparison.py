"""What an exported model is compared on, and what came of it.

Shapes: T time, V vocabulary.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from pellucid.interop.exportable import Exportable
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.tales import tales
from pellucid.training.weights import load_stored_weights

MOST_TOKENS = 512  # that are compared of a text


class Unequal(Exception):
    """What was exported is not what the run is."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was compared, and how far the logits, or the logarithms of the probabilities, were apart.

    Args:
        with_: what computed the other ones, and its version.
        n_tokens: of the text and of a draw from the whole vocabulary.
        difference: the largest; of logits, relative to the logit where that is larger than 1.
        tolerance: more is an error.
        of: what differs.
        rounded: the largest where numbers have 16 bits, as exported; `difference` is then in float32.
        bits_per_byte: of a quantised model, with the weights in float32 and as exported; `difference` as above.
    """

    with_: str
    n_tokens: int
    difference: float
    tolerance: float
    of: str = "logit"
    rounded: float | None = None
    bits_per_byte: tuple[float, float] | None = None


@torch.no_grad()
def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    """Of two tensors of logits (…, T, V): relative to `theirs`, or to 1 where that is smaller."""
    return ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item()


def own_model(model: Exportable) -> LanguageModel:
    """With the weights as they are in the run, not as they were rewritten."""
    weights = model.weights
    own = build_model(weights.config)
    load_stored_weights(
        own, {name: tensor.read() for name, tensor in weights.tensors.items()}, str(model.run.path)
    )
    return own.eval()


def real_text() -> str:
    """Fairy tales that are written here, as many as fill any context, and what else may stand in a text."""
    stories = [tales.write(7, index) for index in range(8)]
    return 'Numbers: 1,234.5 and 2024.  Naïve cafés don\'t "count" them;\n\n\tthey — \n' + "\n\n".join(
        stories
    )


def of_text(ids: np.ndarray, context_length: int) -> list[Tensor]:
    """Windows (1, T) of a text's tokens, one after another, of the model's context as far as the text reaches."""
    length = min(context_length, MOST_TOKENS)
    tokens = torch.from_numpy(ids.astype(np.int64))[:MOST_TOKENS]
    return [window[None] for window in tokens.split(length)]


def any_tokens(config: ModelConfig) -> Tensor:
    """(1, T) tokens from all over the vocabulary."""
    length = min(config.context_length, MOST_TOKENS)
    return torch.randint(config.vocab_size, (1, length), generator=torch.Generator().manual_seed(0))
