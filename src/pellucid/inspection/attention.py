"""The view of attention: who looks at whom, in all heads at once, or in one in full.

Shapes: L layers, H heads, T tokens, D head size, R rows and columns of a tile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from pellucid.errors import InputError
from pellucid.inspection.capture import Captured, Way, capture
from pellucid.inspection.checks import checked_number
from pellucid.inspection.frame import Frame
from pellucid.inspection.subject import Prompt, Subject
from pellucid.model.config import ModelConfig

MOST_TILES = 512
LONGEST_IN_FULL = 4096  # tokens: a head's scores and weights then take 134 MB


def overview(
    subject: Subject, text: str, scale: str = "trained", mask: str = "trained", tiles: int = 64
) -> Frame:
    """The weights of all heads, "weights" (L, H, R, R), with R at most `tiles`.

    Where the prompt has more tokens, each cell is the greatest of p × p weights; the header's "pooled" is p. A bigram
    model has no attention, and that of a person's own code is not known: no layers, and a note.

    Args:
        scale: "sqrt" or "none", or "trained" for how the model was trained.
        mask: "causal" or "none", or "trained".

    Raises:
        InputError: an unknown scale or mask, tiles out of range, or a prompt that cannot be read.
    """
    checked_number("tiles", tiles, 1, MOST_TILES)
    prompt = subject.read(text)
    captured, header = _look(subject, prompt, scale, mask)
    pooled = -(-len(prompt.ids) // tiles)
    layers = []
    for layer in range(header["layers"]):
        weights = torch.cat([_pooled(part, pooled) for _, part in captured.heads(layer)])
        layers.append(weights.numpy())
    side = -(-len(prompt.ids) // pooled)
    array = np.stack(layers) if layers else np.zeros((0, 0, side, side), np.float32)
    return Frame({**header, "pooled": pooled}, {"weights": array})


def without_attention(config: ModelConfig) -> str:
    """Why there is nothing to see of a model that is no transformer, as a sentence without its end."""
    return (
        f"{config.own.name} is a model of its own code, whose attention is not known here"
        if config.own
        else "A bigram model has no attention"
    )


def head(
    subject: Subject, text: str, layer: int, head: int, scale: str = "trained", mask: str = "trained"
) -> Frame:
    """One head in full: "weights" and "scores" (T, T), "visible" (T, T), "q" and "k" (T, D).

    Scores are scaled and not masked: "visible" tells which count. Layers and heads are counted from 0.

    Raises:
        InputError: there is no such layer or head, or the prompt has more than 4,096 tokens; as in `overview`.
    """
    config = subject.config
    if config.architecture != "transformer":
        raise InputError(f"{without_attention(config)}: choose a transformer")
    checked_number("layer", layer, 0, config.n_layers - 1, " for this model")
    checked_number("head", head, 0, config.n_heads - 1, " for this model")
    prompt = subject.read(text)
    if len(prompt.ids) > LONGEST_IN_FULL:
        raise InputError(
            f"the prompt has {len(prompt.ids):,} tokens: one head is shown in full for {LONGEST_IN_FULL:,} at most; "
            "shorten it, or look at all heads, pooled"
        )
    captured, header = _look(subject, prompt, scale, mask)
    q, k, scores, weights = captured.head(layer, head)
    visible = captured.way.visible(len(prompt.ids)).to(torch.uint8)
    header |= {"layer": layer, "head": head, "kv_head": head * config.n_kv_heads // config.n_heads}
    arrays = {"weights": weights, "scores": scores, "visible": visible, "q": q, "k": k}
    return Frame(header, {name: tensor.numpy() for name, tensor in arrays.items()})


def _pooled(weights: torch.Tensor, size: int) -> torch.Tensor:
    return F.max_pool2d(weights, size, ceil_mode=True) if size > 1 else weights


def _look(subject: Subject, prompt: Prompt, scale: str, mask: str) -> tuple[Captured, dict[str, Any]]:
    """What a pass over the prompt left, and what both views say of it."""
    config = subject.config
    captured, way = capture(subject, prompt.ids, scale, mask), Way.of(config, scale, mask)
    trained = Way.of(config)
    has_none = config.architecture != "transformer"
    notes = [*prompt.notes, *([f"{without_attention(config)}."] if has_none else [])]
    header = {
        "stamp": subject.stamp,
        "notes": notes,
        "tokens": prompt.tokens,
        "layers": 0 if has_none else config.n_layers,
        "heads": 0 if has_none else config.n_heads,
        "kv_heads": 0 if has_none else config.n_kv_heads,
        "head_dim": config.head_dim,
        "scale": {"kind": way.scale, "value": way.factor(config.head_dim), "trained": trained.scale},
        "mask": {"kind": way.mask, "trained": trained.mask},
        "trained_this_way": way == trained,
        "loss": _loss(captured, captured if way == trained else capture(subject, prompt.ids)),
    }
    return captured, header


def _loss(captured: Captured, trained: Captured) -> dict[str, Any] | None:
    """Mean next-token loss over the prompt, now and as trained."""
    now, before = captured.loss, trained.loss
    if now is None or before is None:
        return None
    return {
        "nats": now,
        "trained_nats": before,
        "change": now - before,
        "n_tokens": len(captured.losses),
    }
