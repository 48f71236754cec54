"""Checks of attention itself: which axis its softmax sums over, where its mask stands, how its scores are scaled."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pellucid.inspection.doctor.finding import Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient
from pellucid.inspection.doctor.watch import Layer, Watch, visible, watch

EXACT = 1e-4
AXIS, BEFORE, SCALE = "softmax axis", "mask before the softmax", "score scale"
NONE_SEEN = "no softmax of a square of scores was seen in the forward pass: this is no usual attention"
LARGE_SLOPE = 1.5  # scores multiplied where they should be divided


def check_attention(stirred: Patient, original: Patient) -> list[Finding]:
    """The three checks, on a pass in evaluation.

    Args:
        stirred: with noise in the place of learning, so that scores differ.
        original: as it was initialised or trained.
    """
    seen = watch(stirred, stirred.ids())
    if not seen.layers:
        return [unsuited(check, NONE_SEEN) for check in (AXIS, BEFORE, SCALE)]
    return [check_axis(seen), check_mask_place(seen), check_scale(watch(original.exact(), original.ids()))]


def mix_up(layer: Layer, length: int) -> str:
    """Over which wrong axis the weights of a layer sum to 1: "queries" or "heads or the batch"; empty: the keys."""
    weights = layer.weights if layer.weights is not None else layer.softmax
    if weights is not None and _ones(weights.sum(-1)):
        return ""
    if layer.summed_over % length:
        return "heads or the batch"
    if layer.softmax is not None and _ones(layer.softmax.sum(-2)) and not _ones(layer.softmax.sum(-1)):
        return "queries"
    return ""


def _ones(sums: Tensor) -> bool:
    return bool(((sums - 1).abs() < EXACT).all())


def check_axis(seen: Watch) -> Finding:
    expected = "the weights of each query sum to 1 over its keys"
    for number, layer in enumerate(seen.layers):
        if axis := mix_up(layer, seen.length):
            return wrong(
                AXIS,
                "wrong softmax axis",
                f"attention {number}: the softmax sums to 1 over the {axis}",
                expected,
                "Take the softmax over the last axis of scores of shape (…, queries, keys): softmax(dim=-1).",
            )
    return passed(AXIS, f"it runs over the keys in all {len(seen.layers)} attentions", expected)


def masked_after(layer: Layer) -> bool:
    """Whether weights that left the softmax were hidden later, and what is left not made to sum to 1 again."""
    if layer.softmax is None or layer.weights is None:
        return False
    left, used = _future(layer.softmax), _future(layer.weights)
    sums = layer.weights.sum(-1)
    return left > 10 * EXACT and used < EXACT and bool((sums[:, :-1].mean() < 1 - EXACT).item())


def hides(seen: Watch) -> bool:
    """Whether no value of a later token is taken up by an attention, whatever the weights sum to."""
    used = [*(layer.weights for layer in seen.layers), *seen.loose]
    return bool(used) and all(weights is not None and _future(weights.abs()) < 1e-12 for weights in used)


def _future(weights: Tensor) -> float:
    """The mean weight that a query gives to all keys after it together."""
    return weights.triu(1).sum(-1)[:, :-1].mean().item()


def check_mask_place(seen: Watch) -> Finding:
    expected = "the weights of the visible keys sum to 1, and hidden scores never enter the softmax"
    for number, layer in enumerate(seen.layers):
        if not mix_up(layer, seen.length) and masked_after(layer):
            assert layer.weights is not None
            return wrong(
                BEFORE,
                "mask after the softmax",
                f"attention {number}: the weights of the first query sum to {layer.weights[:, 0].sum(-1).mean():.3f}",
                expected,
                "Set the scores of later keys to −∞ before the softmax, not the weights to 0 after it.",
            )
    return passed(BEFORE, "no weight is taken away after the softmax", expected)


def weak_mask(seen: Watch) -> bool:
    """Whether hidden scores all have one finite value that leaves them some weight."""
    for layer in seen.layers:
        if layer.scores is None or layer.weights is None or layer.weights.shape[-1] < 3:
            continue
        T = layer.scores.shape[-1]
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        hidden = layer.scores[:, future]
        if bool(hidden.isfinite().all()) and hidden.std() < 1e-9 and _future(layer.weights) > 1e-12:
            return True
    return False


def check_scale(seen: Watch) -> Finding:
    """Scores must be the product of queries and keys divided by √D, or something else must keep them small.

    Not judged wrong: queries initialised smaller by √D (T5), normed to length 1, or any other factor below 1.
    """
    expected = "scores = q·k / √d, whose spread does not grow with d"
    measured: list[str] = []
    for number, layer in enumerate(seen.layers):
        if layer.product is None:
            continue
        _, q, k = layer.product
        size = q.shape[-1]
        slope = layer.scale if layer.scale is not None else _slope(layer)
        if slope is None or size < 2:
            continue
        measured.append(
            f"{slope:.3g} = d^{math.log(slope) / math.log(size):.2f}" if slope > 0 else f"{slope:.3g}"
        )
        large = slope > LARGE_SLOPE or (abs(slope - 1) < 0.01 and not _scaled_before(seen, q, k, size))
        if large and not _kept_small(q, k, size):
            spread = _spread(layer)
            return wrong(
                SCALE,
                "no scaling",
                f"attention {number}: scores are q·k times {slope:.3g}, d is {size}, their spread {spread:.3g}",
                expected,
                f"Divide the scores by √{size} (multiply by {size**-0.5:.3g}) before mask and softmax.",
            )
    if not measured:
        return unsuited(SCALE, "the product of queries and keys was not seen in the forward pass", expected)
    return passed(SCALE, f"factors of q·k: {', '.join(dict.fromkeys(measured))}", expected)


def _slope(layer: Layer) -> float | None:
    """What the product of queries and keys is multiplied by, from how both differ between the rows of a batch."""
    assert layer.product is not None
    if layer.scores is None:
        return None
    seen = visible(layer.scores).all(dim=0)
    scores, product = layer.scores[:, seen], layer.product[0][:, seen]
    rows = scores.shape[0]
    if rows % 3 or not scores.numel():  # N is 3 rows of a batch × heads
        return None
    # within a head, so that biases of places and heads fall away
    x, y = (each.view(3, rows // 3, -1) for each in (product, scores))
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    slope = (x * y).sum() / (x * x).sum().clamp_min(1e-300)
    left = (y - slope * x).square().sum() / y.square().sum().clamp_min(1e-300)
    return slope.item() if left.item() < 0.05 else None


def _scaled_before(seen: Watch, q: Tensor, k: Tensor, size: int) -> bool:
    """Whether queries or keys were multiplied with a number below 1 on their way."""
    sizes = {q.numel(), k.numel()}
    return any(
        numel in sizes and last in (size, q.numel()) and f < 0.9 for numel, last, f in seen.factors
    ) or any(
        numel in sizes and abs(math.log(f) / math.log(size) + 0.5) < 0.02 for numel, _, f in seen.factors
    )


def _kept_small(q: Tensor, k: Tensor, size: int) -> bool:
    """Whether queries are smaller than keys by √D, or either has length 1: then no division is needed."""
    lengths = [each.norm(dim=-1) for each in (q, k)]
    if any(((length - length.mean()).abs().max() < 1e-3 and length.mean() < 1.01) for length in lengths):
        return True
    ratio = (lengths[0].mean() / lengths[1].mean().clamp_min(1e-300)).item()
    return min(ratio, 1 / max(ratio, 1e-300)) < 1.5 * size**-0.5


def _spread(layer: Layer) -> float:
    if layer.scores is None:
        return math.nan
    return layer.scores[visible(layer.scores)].std().item()
