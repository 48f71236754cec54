"""Checks of what influences what: the future, other rows, chance, places and order."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.inspection.doctor.attention import hides, masked_after, mix_up, weak_mask
from pellucid.inspection.doctor.finding import Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient
from pellucid.inspection.doctor.watch import Watch, visible, watch

SEEDS = (0, 1, 2)
LEAK = {True: "future hidden in training", False: "future hidden in evaluation"}
REPEATS, ROWS = "evaluation gives the same twice", "rows of a batch are independent"
PLACES, ORDER = "positions reach the model", "order of earlier tokens matters"
REACH_BACK = "tokens see all that came before"
NOTHING = 1e-13  # of the spread: no influence at all


def spread(logits: Tensor) -> float:
    """What differences of logits are compared with."""
    return max(logits.std().item(), 1e-30)


def _difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item() / spread(a)


def _other(ids: Tensor, vocab_size: int) -> Tensor:
    """Tokens that all differ from these."""
    shift = torch.randint(1, vocab_size, ids.shape, generator=torch.Generator().manual_seed(7))
    return (ids + shift) % vocab_size


def leak(patient: Patient, training: bool) -> float:
    """The largest change of earlier logits when all later tokens change, relative to the spread of logits."""
    worst = 0.0
    for seed in SEEDS:
        ids = patient.ids(seed=seed)
        T = ids.shape[1]
        for split in {max(1, T // 3), max(1, T // 2), T - 1}:
            changed = ids.clone()
            changed[:, split:] = _other(ids[:, split:], patient.vocab_size)
            before, after = (patient.seeded(each, training, seed) for each in (ids, changed))
            worst = max(worst, _difference(before[:, :split], after[:, :split]))
    return worst


def influence(patient: Patient, training: bool) -> tuple[float, float, int]:
    """Changing one token in the middle: mean change before it, mean change after it, and how far back it reaches."""
    ids = patient.ids()
    middle = ids.shape[1] // 2
    changed = ids.clone()
    changed[:, middle] = _other(ids[:, middle], patient.vocab_size)
    a, b = (patient.seeded(each, training) for each in (ids, changed))
    change = (a - b).abs().amax(dim=(0, 2)) / spread(a)  # (T,)
    reached = (change[:middle] > patient.tolerance).nonzero()
    distance = middle - int(reached[0]) if len(reached) else 0
    return change[:middle].mean().item(), change[middle + 1 :].mean().item(), distance


def check_future(patient: Patient) -> list[Finding]:
    """Whether a later token changes earlier logits, in training and in evaluation apart."""
    expected = f"a change below {patient.tolerance:.0e} of the spread of logits"
    leaks: dict[bool, float | None] = {False: leak(patient, training=False), True: None}
    if patient.reproducible:
        leaks[True] = leak(patient, training=True)
    found = []
    for training, size in leaks.items():
        if size is None:
            found.append(unsuited(LEAK[training], "two passes with the same seed differ", expected))
        elif size <= patient.tolerance:
            found.append(passed(LEAK[training], f"{size:.1e}", expected))
        else:
            cause, remedy = _cause_of_leak(patient, training, leaks[not training])
            measured = f"later tokens change earlier logits by {size:.1e} of their spread"
            found.append(wrong(LEAK[training], cause, measured, expected, remedy))
    return found


def _cause_of_leak(patient: Patient, training: bool, elsewhere: float | None) -> tuple[str, str]:
    """Which bug lets the future through, and its remedy."""
    if elsewhere is not None and elsewhere <= patient.tolerance:
        here, there = ("training", "evaluation") if training else ("evaluation", "training")
        cause = f"mask in {there} only"
        return cause, f"Apply the causal mask in {here}, too: it must not hang on self.training."
    seen = watch(patient, patient.ids(), training)
    before, after, distance = influence(patient, training)
    if any(mix_up(layer, seen.length) for layer in seen.layers):
        return "wrong softmax axis", "Take the softmax over the keys, the last axis of the scores."
    if any(map(masked_after, seen.layers)):
        return "mask after the softmax", "Set the scores of later keys to −∞ before the softmax."
    if hides(seen) and seen.loose:
        return (
            "mask after the softmax",
            "Hide later keys before the weights are made to sum to 1, not after it.",
        )
    if hides(seen):
        return (
            "times mixed",
            "Look for a norm, mean, convolution or reshape that takes several tokens together.",
        )
    if not seen.layers and not seen.loose and distance > 1:
        return (
            "times mixed",
            "Look for what reads a text in both directions, or takes several tokens together.",
        )
    if weak_mask(seen):
        return "weak mask", "Fill hidden scores with −∞: a score of 0 still gets a weight."
    if after <= patient.tolerance < before:
        return (
            "mask the wrong way round",
            "Hide the keys after the query: keep the lower triangle (torch.tril).",
        )
    if 0 < distance <= max(1, len(seen.layers)) < patient.length // 2:
        return "mask off by one", "Let a query see the keys up to itself alone: torch.tril with diagonal 0."
    return (
        "missing mask",
        "Hide from each query all keys after it: fill their scores with −∞ before the softmax.",
    )


def check_repeats(patient: Patient) -> Finding:
    """Whether two passes in evaluation are equal whatever the random state."""
    ids, expected = patient.ids(), "the same logits whatever the random seed"
    first, again = (patient.seeded(ids, seed=seed) for seed in (0, 1))
    size = _difference(first, again)
    if torch.equal(first, again) or size <= patient.tolerance:
        return passed(REPEATS, f"a difference of {size:.1e}", expected)
    drops = _drops_weights(*(watch(patient, ids, seed=seed) for seed in (0, 1)))
    cause = "attention dropout active in evaluation" if drops else "dropout active in evaluation"
    remedy = "Give the dropout its training flag (dropout_p=p if self.training else 0.0), or use nn.Dropout."
    return wrong(REPEATS, cause, f"a difference of {size:.1e} of the spread", expected, remedy)


def _drops_weights(first: Watch, again: Watch) -> bool:
    """Whether chance strikes attention weights: a draw of their shape, or equal softmaxes used differently."""
    if any(first.random):
        return True
    for a, b in zip(first.layers, again.layers, strict=False):
        if a.softmax is not None and b.softmax is not None and not torch.equal(a.softmax, b.softmax):
            return False  # chance came in before
        if a.weights is not None and b.weights is not None and not torch.equal(a.weights, b.weights):
            return True
    return False


def check_rows(patient: Patient) -> Finding:
    """Whether a row's logits hang on the other rows."""
    ids, expected = patient.ids(), "a row's logits do not change with the other rows"
    changed = ids.clone()
    changed[::2] = _other(ids[::2], patient.vocab_size)  # the one before it and the one after it
    size = _difference(*(patient.seeded(each)[1:2] for each in (ids, changed)))
    if size <= patient.tolerance:
        return passed(ROWS, f"{size:.1e}", expected)
    remedy = "Look for a softmax, norm, reshape or mean that takes the batch's axis for another one."
    return wrong(ROWS, "rows mix", f"they change by {size:.1e} of their spread", expected, remedy)


def check_reach(patient: Patient) -> Finding:
    """How far back tokens see: farther and farther, or as far as a window, but never less far than the token before.

    Heads that are cut from the wrong axes (a view without its transpose) see pieces of the text alone.
    """
    expected = "no token sees less far back than the one before it"
    ids = patient.ids()
    if patient.tolerance > 1e-6 or not watch(patient, ids).layers:
        return unsuited(REACH_BACK, "for attention in float64 only", expected)
    logits = patient.seeded(ids)
    T = ids.shape[1]
    first = list(range(T))  # the earliest token that each sees
    for place in reversed(range(T)):
        changed = ids.clone()
        changed[:, place] = _other(ids[:, place], patient.vocab_size)
        change = (patient.seeded(changed) - logits).abs().amax(dim=(0, 2)) / spread(logits)
        first = [place if place < t and change[t] > NOTHING else first[t] for t in range(T)]
    spans = [t - seen for t, seen in enumerate(first)]
    less = [t for t in range(1, T) if spans[t] < spans[t - 1]]
    if not less:
        return passed(REACH_BACK, f"the last token sees {spans[-1]} back", expected)
    said = f"token {less[0]} sees {spans[less[0]]} back, and the one before it {spans[less[0] - 1]}"
    remedy = "Cut heads with view(B, T, H, D).transpose(1, 2), and join them with transpose(1, 2) before the reshape."
    return wrong(REACH_BACK, "heads cut wrongly", said, expected, remedy)


# ---------------------------------------------------------------------- places and order


def reads_back(patient: Patient) -> bool:
    """Whether earlier tokens have any influence on the last logits."""
    ids = patient.ids()
    changed = ids.clone()
    changed[:, :-1] = _other(ids[:, :-1], patient.vocab_size)
    return _difference(*(patient.seeded(each)[:, -1] for each in (ids, changed))) > patient.tolerance


def order_matters(patient: Patient) -> float:
    """The change of the last logits when the earlier tokens are turned around, relative to their spread."""
    changes = []
    for seed in SEEDS:
        ids = patient.ids(seed=seed)
        turned = torch.cat((ids[:, :-1].flip(1), ids[:, -1:]), dim=1)
        changes.append(_difference(*(patient.seeded(each)[:, -1] for each in (ids, turned))))
    return max(changes)


def told_apart(seen: Watch) -> float:
    """On one token repeated: how much scores of visible keys differ within a row. Without positions they are equal."""
    widest = 0.0
    for layer in seen.layers:
        scores = layer.scores
        if scores is None or scores.shape[-1] < 3:
            continue
        there = visible(scores)
        top = scores.masked_fill(~there, -torch.inf).amax(-1)
        low = scores.masked_fill(~there, torch.inf).amin(-1)
        ranges = (top - low)[:, 2:]
        ranges = ranges[ranges.isfinite()]
        if ranges.numel():
            scale = max(1.0, scores[there].abs().max().item())
            widest = max(widest, ranges.max().item() / scale)
    return widest


def check_positions(patient: Patient, declared_none: bool = False) -> list[Finding]:
    """Whether places reach the model, and whether the order of earlier tokens does.

    The first reads one token repeated: additive positions make its logits differ in time, rotary ones and biases its
    scores. Without any of them all are equal, for the mean of equal values is the same however many there are.
    Permuting tokens alone does not tell: a causal mask lets a second layer count (Haviv et al. 2022).
    """
    expected = "one token repeated is seen differently at each place"
    if not reads_back(patient):
        why = "earlier tokens have no influence on the next one, as in a bigram: places do not apply"
        return [unsuited(PLACES, why), unsuited(ORDER, why)]
    ids = torch.arange(3)[:, None].expand(3, patient.length) % patient.vocab_size
    logits = patient.seeded(ids.contiguous())
    in_time = (logits - logits[:, :1]).abs().max().item() / spread(logits)
    seen = watch(patient, ids.contiguous())
    in_scores, order = told_apart(seen), order_matters(patient)
    measured = f"logits differ by {in_time:.1e}, scores by {in_scores:.1e}"
    known = any(layer.scores is not None for layer in seen.layers)
    there = max(in_time, in_scores) > patient.tolerance or (not known and order > patient.tolerance)
    lost = Finding(ORDER, "ok", f"turned around they change the last logits by {order:.1e}", "a change")
    if order <= patient.tolerance:
        remedy = "Add positions to the embeddings, or rotate queries and keys by them."
        lost = wrong(
            ORDER, "positions not added", f"turning them around changes {order:.1e}", "a change", remedy
        )
    if there:
        return [passed(PLACES, measured, expected), lost]
    if declared_none:
        why = f"the configuration says positions = none ({measured})"
        return [
            unsuited(PLACES, why, expected),
            unsuited(ORDER, f"positions = none; a change of {order:.1e}"),
        ]
    if seen.turned_wrongly:
        remedy = "Turn queries and keys of shape (B, H, T, D) by angles of shape (T, D): along time, not along heads."
        return [wrong(PLACES, "rotary along the head axis", measured, expected, remedy), lost]
    remedy = (
        "Add the position's vector to the token's before the first block, or rotate queries and keys by it."
    )
    return [wrong(PLACES, "positions not added", measured, expected, remedy), lost]
