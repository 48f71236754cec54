"""Canary exposure: how surely a model that learned a secret n times would give it away.

Carlini et al. 2019, "The Secret Sharer", definition 3: among |R| codes that could stand there as well, ranked by their
likelihood, a code has exposure log₂|R| − log₂ rank. R is a sample here, so that no exposure is above its log₂.
A code that was never planted has a rank as good as any: the median of such is 1 bit.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch

from pellucid.errors import InputError
from pellucid.inspection.audit.codes import Wording, choose_wording
from pellucid.inspection.audit.copy import Budget, Planted, trained_copy
from pellucid.inspection.audit.material import Material, Progress
from pellucid.model.cache import KVCache
from pellucid.model.config import IGNORE
from pellucid.model.transformer import LanguageModel, next_token_loss
from pellucid.text.packing import Example

TIMES = (1, 4, 16)
OF_EACH = 2  # canaries planted so many times
UNSEEN = 64
CANDIDATES = 1024  # |R|: the code itself and 1,023 others
AT_ONCE = 128
WHAT = "Ranking codes"


@dataclasses.dataclass(frozen=True)
class Exposure:
    """Exposures in bits of the canaries planted so many times; 0 times is the control."""

    times: int
    bits: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.bits)


@dataclasses.dataclass(frozen=True)
class Canaries:
    """What was planted, in which wording, and how exposed it is; `ceiling` is the most that could be found."""

    wording: str
    planted: tuple[Exposure, ...]
    unseen: Exposure
    ceiling: float
    candidates: int
    budget: Budget


def measure_canaries(
    material: Material,
    minutes: float,
    seed: int,
    device: str,
    note: Callable[[str], None],
    progress: Progress,
) -> Canaries:
    """Train a copy with canaries in it, and rank them.

    Raises:
        InputError: the training cannot be repeated, or no canary fits.
    """
    material.require_own()
    architecture = material.stored["model"].get("architecture")
    if architecture == "bigram":
        raise InputError("a table of pairs sees one token, and cannot remember a code")
    if architecture == "own":
        raise InputError("canaries are ranked with a cache, which a model of its own code has none of")
    wording = choose_wording(material, _room(material))
    draw = np.random.default_rng(seed)
    names = wording.names(len(TIMES) * OF_EACH + 1, draw)
    codes = wording.codes(len(names) - 1, draw)
    times = [n for n in TIMES for _ in range(OF_EACH)]
    canaries = [Planted(*each) for each in zip(names, codes, times, strict=False)]
    with trained_copy(material, wording, canaries, minutes, seed, device, note, progress) as made:
        model, budget, where = made
        ranker = _Ranker(model, where, wording, len(names), progress)
        found = [exposure(ranker.ranks(each.name, [each.code], draw)[0]) for each in canaries]
        control = ranker.ranks(names[-1], wording.codes(UNSEEN, draw), draw)
    exposures = [
        Exposure(n, tuple(bits for bits, own in zip(found, times, strict=True) if own == n)) for n in TIMES
    ]
    unseen = Exposure(0, tuple(map(exposure, control)))
    said = wording.text(canaries[0].name, canaries[0].code)
    return Canaries(said, tuple(exposures), unseen, math.log2(CANDIDATES), CANDIDATES, budget)


def exposure(rank: float) -> float:
    """Bits, from 0 at the last rank to the ceiling at the first."""
    return math.log2(CANDIDATES) - math.log2(rank)


def _room(material: Material) -> int:
    """Tokens that a canary may have: those of a row, or of a window."""
    if hasattr(material.data, "length"):
        return material.data.length  # pyright: ignore[reportAttributeAccessIssue]
    context = material.run.model.config.context_length
    return min(material.stored["training"].get("window") or context, context)


class _Ranker:
    """Ranks codes by their likelihood among others that were drawn as they were."""

    def __init__(
        self, model: LanguageModel, device: str, wording: Wording, n_rounds: int, progress: Progress
    ) -> None:
        self.model, self.device, self.wording = model, device, wording
        self.progress, self.done, self.total = progress, 0, n_rounds * CANDIDATES

    def ranks(self, name: str, codes: Sequence[str], draw: np.random.Generator) -> list[int]:
        """Of each of `codes` alone among the same others; 1 is the likeliest."""
        drawn = self.wording.codes(CANDIDATES - 1 + len(codes), draw)
        others = [code for code in drawn if code not in codes][: CANDIDATES - 1]
        losses = self._losses([self.wording.example(name, code) for code in (*codes, *others)])
        theirs = losses[len(codes) :]
        return [1 + int((theirs < own).sum()) for own in losses[: len(codes)].tolist()]

    @torch.inference_mode()
    def _losses(self, examples: Sequence[Example]) -> np.ndarray:
        """(N,) nats: of all that is learned of each; what they begin with alike is read once."""
        n_shared = _n_shared([example.ids for example in examples])
        shared = torch.from_numpy(examples[0].ids[:n_shared].astype(np.int64)[None]).to(self.device)
        once = KVCache(self.model.config, 1, n_shared, self.device)
        if n_shared > 1:
            self.model(shared[:, :-1], cache=once)
        losses = []
        for start in range(0, len(examples), AT_ONCE):
            some = examples[start : start + AT_ONCE]
            losses.append(self._losses_after(once, some, n_shared))
            self.done += len(some)
            self.progress(WHAT, min(self.done, self.total), self.total)
        return np.concatenate(losses)

    def _losses_after(self, once: KVCache, examples: Sequence[Example], n_shared: int) -> np.ndarray:
        width = max(map(len, examples)) + 1 - n_shared
        inputs = np.zeros((len(examples), width), dtype=np.int64)
        targets = np.full_like(inputs, IGNORE)
        for row, example in enumerate(examples):
            after = example.ids[n_shared - 1 :]
            inputs[row, : len(after) - 1] = after[:-1]
            targets[row, : len(after) - 1] = np.where(example.learned[n_shared:], after[1:], IGNORE)
        cache = KVCache(self.model.config, len(examples), once.length + width, self.device)
        cache.keys[:, :, :, : once.length] = once.keys[:, :, :, : once.length]
        cache.values[:, :, :, : once.length] = once.values[:, :, :, : once.length]
        cache.advance(once.length)
        logits = self.model(torch.from_numpy(inputs).to(self.device), cache=cache)
        losses = next_token_loss(logits, torch.from_numpy(targets).to(self.device), reduction="none")
        return losses.sum(dim=1).double().cpu().numpy()


def _n_shared(rows: Sequence[np.ndarray]) -> int:
    """Tokens that all rows begin with; the first is read in any case."""
    length = min(map(len, rows)) - 1
    table = np.stack([row[:length] for row in rows])
    same = (table == table[0]).all(axis=0)
    return length if same.all() else max(1, int(np.argmin(same)))
