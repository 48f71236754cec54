"""The view of sampling: what the model thinks comes next, what is left to draw from, and draws of it.

Shapes: V vocabulary.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.generation.sampling import draw_many, next_token_distribution, next_token_scores
from pellucid.inspection.capture import capture
from pellucid.inspection.checks import checked_number
from pellucid.inspection.subject import Prompt, Subject

MOST_SHOWN = 1000
MOST_DRAWS = 100_000


def next_token(
    subject: Subject,
    text: str,
    temperature: float = 0.5,
    top_k: int = 25,
    top_p: float = 1.0,
    min_p: float = 0.0,
    shown: int = 40,
) -> dict[str, Any]:
    """The `shown` likeliest next tokens, most likely first, and the rest in sum.

    "probability" is the model's own; "drawn" is with temperature and cuts, over what is kept; tokens that are never
    written, such as padding, are cut as the engine cuts them. Entropies are in bits, ranks from 1.

    Raises:
        InputError: an option is out of its range, or the prompt cannot be read.
    """
    checked_number("shown", shown, 1, MOST_SHOWN)
    options = SamplingOptions(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    prompt, logits = _logits(subject, text)
    own = logits.double().softmax(dim=-1)
    kept = next_token_scores(logits[None], options, forbidden=subject.engine.forbidden)[0] > -math.inf
    drawn = next_token_distribution(logits[None], options, forbidden=subject.engine.forbidden)[0].double()
    order = logits.argsort(descending=True, stable=True)
    first, rest = order[:shown], order[shown:]
    return {
        "stamp": subject.stamp,
        "notes": prompt.notes,
        "tokens": prompt.tokens,
        "entropy_bits": entropy_bits(own),
        "drawn_entropy_bits": entropy_bits(drawn),
        "kept": int(kept.sum()),
        "vocab_size": len(logits),
        "candidates": [
            {
                "id": id,
                "text": _shown(subject, id),
                "logit": logits[id].item(),
                "probability": own[id].item(),
                "drawn": drawn[id].item(),
                "kept": bool(kept[id]),
                "rank": rank,
            }
            for rank, id in enumerate(first.tolist(), start=1)
        ],
        "rest": {
            "n": len(rest),
            "probability": own[rest].sum().item(),
            "drawn": drawn[rest].sum().item(),
        },
    }


def draw(
    subject: Subject,
    text: str,
    temperature: float = 0.5,
    top_k: int = 25,
    top_p: float = 1.0,
    min_p: float = 0.0,
    n: int = 1,
    seed: int | None = None,
) -> dict[str, Any]:
    """`n` next tokens drawn as the engine draws, counted, most frequent first.

    One token with a seed is the one that the engine would write first with that seed.

    Raises:
        InputError: an option is out of its range, or the prompt cannot be read.
    """
    checked_number("n", n, 1, MOST_DRAWS)
    options = SamplingOptions(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed)
    prompt, logits = _logits(subject, text)
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    drawn = next_token_distribution(logits[None], options, forbidden=subject.engine.forbidden)[0]
    counts = torch.bincount(draw_many(drawn, n, generator), minlength=len(logits))
    order = counts.argsort(descending=True, stable=True)[: int((counts > 0).sum())]
    return {
        "stamp": subject.stamp,
        "notes": prompt.notes,
        "tokens": prompt.tokens,
        "counts": [
            {"id": id, "text": _shown(subject, id), "count": int(counts[id])} for id in order.tolist()
        ],
        "n": n,
    }


def entropy_bits(probabilities: Tensor) -> float:
    """Of a distribution (V,); 0 · log 0 is 0."""
    return -torch.special.xlogy(probabilities, probabilities).sum().item() / math.log(2) + 0.0


def _logits(subject: Subject, text: str) -> tuple[Prompt, Tensor]:
    """The prompt as read, and the logits (V,) of what follows it."""
    prompt = subject.read(text)
    logits = capture(subject, prompt.ids).logits
    if not logits.isfinite().all():
        raise InputError(
            "the model's outputs are not finite numbers, so nothing can be drawn: its weights are damaged or its "
            "training diverged; use an earlier checkpoint"
        )
    return prompt, logits


def _shown(subject: Subject, id: int) -> str:
    """A token's text; a model may have more outputs than its tokenizer has tokens."""
    return subject.tokenizer.token_text(id) if id < subject.tokenizer.vocab_size else f"<{id}>"
