"""The one way of looking into a forward pass: the model itself, with a recorder in place of its attention's core.

Shapes: B batch (always 1), T tokens, S = T keys, H heads, K key/value heads, G = H/K, D head size, V vocabulary.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model.attention import MASKS, SCALES, Attention
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, next_token_loss

if TYPE_CHECKING:
    from pellucid.inspection.subject import Subject

CACHE_BYTES = 256 << 20  # of captures kept
SCORES_AT_ONCE = 1 << 25  # numbers, 128 MiB: heads are taken a few at a time where the context is long

Tell = Callable[[str, Tensor], None]  # hears of a tensor that no module puts out: its name, and itself


@dataclasses.dataclass(frozen=True)
class Way:
    """How attention is computed: "sqrt" or "none" for the scale of scores, "causal" or "none" for the mask."""

    scale: str
    mask: str

    @classmethod
    def of(cls, config: ModelConfig, scale: str = "trained", mask: str = "trained") -> Way:
        """As asked for; "trained" is how the model was trained.

        Raises:
            InputError: a name is unknown.
        """
        for what, kind, kinds in (("scale", scale, SCALES), ("mask", mask, MASKS)):
            if not isinstance(kind, str) or (kind != "trained" and kind not in kinds):
                raise InputError(f"{what} {kind!r} is unknown: choose one of trained, {', '.join(kinds)}")
        return cls(config.scale if scale == "trained" else scale, config.mask if mask == "trained" else mask)

    def factor(self, head_dim: int) -> float:
        """What scores are multiplied by."""
        return SCALES[self.scale](head_dim)

    def visible(self, length: int, device: torch.device | str = "cpu") -> Tensor:
        """(T, T) bool: which keys (columns) each query (row) may see."""
        return MASKS[self.mask](length, length, torch.device(device))


@dataclasses.dataclass(frozen=True)
class Captured:
    """What one forward pass left.

    Args:
        queries: of each layer, (H, T, D), as attention's core was given them: normed and rotated.
        keys: of each layer, (K, T, D).
        logits: (V,) of the token that follows the last one.
        losses: (T - 1,) nats, of each token but the first.

    Scores and weights are not kept, which would take H·T² numbers a layer: they are what `attention_weights`, by
    which the pass itself computed them, gives for these queries and keys.
    """

    way: Way
    config: ModelConfig
    queries: list[Tensor]
    keys: list[Tensor]
    logits: Tensor
    losses: Tensor

    @property
    def loss(self) -> float | None:
        """Mean nats a token over the prompt; None where it has no second token, or the loss is no finite number."""
        mean = self.losses.mean().item() if len(self.losses) else math.nan
        return mean if math.isfinite(mean) else None

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.queries, *self.keys, self.logits, self.losses))

    def heads(self, layer: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Scores and weights (h, T, T) of a layer's heads in order, h at a time."""
        q, k = self.queries[layer], self.keys[layer]
        visible = self.way.visible(q.shape[1])
        for queries, keys in zip(*_in_groups(q, k), strict=True):
            yield attention_weights(queries, keys, visible, self.way.factor(q.shape[2]))

    def head(self, layer: int, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Query (T, D), key (T, D), scores (T, T) and weights (T, T) of one head."""
        q = self.queries[layer][head]
        k = self.keys[layer][head * len(self.keys[layer]) // len(self.queries[layer])]
        visible = self.way.visible(q.shape[0])
        scores, weights = attention_weights(q[None], k[None], visible, self.way.factor(q.shape[1]))
        return q, k, scores[0], weights[0]


def attention_weights(q: Tensor, k: Tensor, visible: Tensor, factor: float) -> tuple[Tensor, Tensor]:
    """Scores, scaled and not yet masked, and their softmax over what is visible: both (H, T, S).

    Args:
        q: (H, T, D); k: (K, S, D), each key head serving H/K query heads.
        visible: (T, S) bool, with at least one key a query.
    """
    H, T, D = q.shape
    K, S = k.shape[:2]
    scores = torch.bmm(q.reshape(K, -1, D), k.mT).view(H, T, S).mul_(factor)  # (K, G·T, D) · (K, D, S)
    return scores, scores.masked_fill(~visible, -math.inf).softmax(dim=-1)


def _in_groups(q: Tensor, k: Tensor, *others: Tensor) -> list[tuple[Tensor, ...]]:
    """Heads (H, T, D) and those (K, T, D) they share, cut alike into parts whose scores fit the memory."""
    H, T = q.shape[:2]
    K = len(k)
    at_once = max(1, SCORES_AT_ONCE // (H // K * T * T))  # key/value heads
    return [q.split(at_once * (H // K)), k.split(at_once), *(other.split(at_once) for other in others)]


def twin(model: LanguageModel) -> LanguageModel:
    """Another instance of the model with the same parameters and buffers, not copies of them.

    Its parts can be swapped while other threads compute with the first.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared).eval()


@torch.inference_mode()
def run(
    model: LanguageModel, ids: tuple[int, ...], way: Way, device: str, tell: Tell | None = None
) -> Captured:
    """One forward pass of a twin over `ids`, its attention computed in `way`.

    Args:
        tell: hears of what attention makes in between: q, k, v; scores and weights (h, T, T), h heads at a time, each
            with the mask (T, T); and what was mixed.
    """
    queries, keys = [], []

    def record(
        layer: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, scale: float
    ) -> Tensor:
        """What stands in for `Attention.attend`; q is (1, H, T, D), k and v are (1, K, T, D)."""
        visible = way.visible(q.shape[2], device)
        mixed = []
        if tell:
            for name, tensor in (("q", q), ("k", k), ("v", v)):
                tell(f"blocks.{layer}.attention.{name}", tensor)
        for part_q, part_k, part_v in zip(*_in_groups(q[0], k[0], v[0]), strict=True):
            scores, weights = attention_weights(part_q, part_k, visible, way.factor(q.shape[3]))
            if tell:
                for name, tensor in (("scores", scores), ("mask", visible), ("weights", weights)):
                    tell(f"blocks.{layer}.attention.{name}", tensor)
            mixed.append(torch.bmm(weights.view(len(part_v), -1, weights.shape[2]), part_v).view_as(part_q))
        out = torch.cat(mixed)[None]
        queries.append(q[0].float().cpu().clone())
        keys.append(k[0].float().cpu().clone())
        if tell:
            tell(f"blocks.{layer}.attention.mixed", out)
        return out

    attentions = [module for module in model.modules() if isinstance(module, Attention)]
    before = [attention.attend for attention in attentions]
    read = torch.tensor([ids], device=device)
    try:
        for layer, attention in enumerate(attentions):
            attention.attend = functools.partial(record, layer)
        logits = model(read)
    finally:  # nothing of this pass is held on to
        for attention, attend in zip(attentions, before, strict=True):
            attention.attend = attend
    losses = next_token_loss(logits[:, :-1], read[:, 1:], reduction="none")[0]
    return Captured(
        way, model.config, queries, keys, logits[0, -1].float().cpu().clone(), losses.cpu().clone()
    )


def capture(
    subject: Subject, ids: tuple[int, ...], scale: str = "trained", mask: str = "trained"
) -> Captured:
    """What a forward pass over `ids` leaves, from memory if it was made just before.

    Args:
        scale: "sqrt" or "none", or "trained" for the model's own.
        mask: "causal" or "none", or "trained".

    Raises:
        InputError: an unknown scale or mask.
    """
    way = Way.of(subject.config, scale, mask)
    key = (subject.serial, ids, way)
    with subject.lock:
        kept = CAPTURES.get(key)
        if kept is None:
            kept = run(subject.twin, ids, way, subject.device)
            CAPTURES.put(key, kept)
    return kept


class Cache:
    """The captures used last, as many as fit into so many bytes; for any threads."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self.nbytes = 0
        self._kept: OrderedDict[Hashable, Captured] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Captured | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, captured: Captured) -> None:
        """Keep it, and drop the least recently used ones that no longer fit; one too large is not kept."""
        with self._lock:
            if key in self._kept or captured.nbytes > self.limit:
                return
            self._kept[key] = captured
            self.nbytes += captured.nbytes
            while self.nbytes > self.limit:
                self.nbytes -= self._kept.popitem(last=False)[1].nbytes


CAPTURES = Cache()  # of all subjects together, so that the bound holds for the process
