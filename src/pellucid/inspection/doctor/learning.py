"""Checks of learning: where the loss starts, whether it falls, whether its targets are right, and the scale of layers.

Shapes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pellucid.inspection.doctor.finding import Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient, cross_entropy, in_mode

START, LOGITS, OVERFIT, OWN = (
    "initial loss",
    "logits are logits",
    "one batch is learned by heart",
    "targets fit logits",
)
LAYERS = "activations keep their scale"

EXCESS = 1.0  # nats above ln V that an untrained model may lose
STEPS, RATES = 40, (1e-2, 1e-3, 1e-1)
MUST_FALL_TO = 0.7  # of where it started
GROWN = 1e3  # from layer to layer


def check_start(patient: Patient) -> list[Finding]:
    """The loss of an untrained model on random tokens: ln V, and half the variance of its logits (Gaussian ones)."""
    ids, targets = patient.batch(8)
    logits = patient.seeded(ids).double()
    chance, variance = math.log(patient.vocab_size), logits.var(dim=-1).mean().item()
    expected = f"ln V = {chance:.2f}, plus half the variance of logits = {chance + variance / 2:.2f}"
    if not logits.isfinite().all():
        remedy = "Look for a division by 0, a row that is all hidden, or a missing norm."
        return [
            wrong(START, "not finite", "logits are not finite", expected, remedy),
            unsuited(LOGITS, "logits are not finite"),
        ]
    loss = cross_entropy(logits, targets).item()
    if loss > chance + max(EXCESS, 0.25 * chance):
        remedy = "Initialise smaller (std 0.02 for embeddings and head, as GPT-2 does)."
        start = wrong(START, "initialisation", f"{loss:.2f} nats", expected, remedy)
    else:
        start = passed(START, f"{loss:.2f} nats", expected)
    sums = logits.sum(-1)
    if logits.min() >= 0 and (sums - 1).abs().max() < 1e-4:
        remedy = "Return logits: cross-entropy takes the softmax itself."
        return [
            start,
            wrong(LOGITS, "probabilities for logits", "they sum to 1", "numbers of any sum", remedy),
        ]
    return [start, passed(LOGITS, f"from {logits.min():.2f} to {logits.max():.2f}", "numbers of any sum")]


def check_overfit(patient: Patient) -> Finding:
    """A few dozen AdamW steps on one tiny batch, at the first of a few rates that does."""
    ids, targets = patient.batch(4, seed=11)
    best, start, name = math.inf, math.nan, f"below {MUST_FALL_TO:.0%} of its start in {STEPS} steps"
    for rate in RATES:
        learner = patient.copy()
        weights = [p for p in learner.module.parameters() if p.requires_grad]
        if not weights:
            break
        optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
        with in_mode(learner.module, training=True):
            torch.manual_seed(0)
            for step in range(STEPS):
                loss = learner.loss(ids, targets)
                if step == 0:
                    start = loss.item()
                if not loss.requires_grad or not math.isfinite(loss.item()):
                    break
                best = min(best, loss.item())
                if best < MUST_FALL_TO * start:
                    return passed(OVERFIT, f"from {start:.2f} to {best:.2f} nats in {step} steps", name)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
    remedy = "Mend what else is found first; then look for a part of the path that cannot learn."
    return wrong(OVERFIT, "cannot learn", f"from {start:.2f} to {best:.2f} nats at best", name, remedy)


def check_own_loss(stirred: Patient) -> Finding:
    """The model's own loss against the cross-entropy of its logits with the targets, shifted or not."""
    expected = "the cross-entropy of the logits with the token after each"
    ids, targets = stirred.batch(8)
    hugging = stirred.loss_argument == "labels"  # given the tokens themselves, it shifts by its own contract
    with in_mode(stirred.module, False), torch.no_grad():
        given = ids if hugging else targets
        own = stirred.own_loss(ids, given)
    if own is None:
        return unsuited(OWN, "the model gives no loss of its own", expected)
    loss, logits = own
    right = cross_entropy(logits[:, :-1], targets[:, :-1]) if hugging else cross_entropy(logits, targets)
    twice = (
        cross_entropy(logits[:, :-2], ids[:, 2:])
        if hugging
        else cross_entropy(logits[:, :-1], targets[:, 1:])
    )
    unshifted = cross_entropy(logits, ids)
    said = f"{loss.item():.3f} nats; with the next token {right.item():.3f}, with the one after it {twice.item():.3f}"

    def close(other: Tensor) -> bool:
        return abs(loss.item() - other.item()) < 1e-4 * max(1.0, abs(other.item()))

    if close(right) or (hugging and close(unshifted)):
        return passed(OWN, said, expected)
    if close(twice):
        remedy = "Shift once: give the model the tokens themselves, or take the shift out of its loss."
        return wrong(OWN, "targets shifted twice", said, expected, remedy)
    if close(unshifted) and not hugging:
        return wrong(
            OWN, "targets not shifted", said, expected, "Use the targets that are given, not the inputs."
        )
    return unsuited(OWN, f"{said}: another loss, or more than one", expected)


def check_layers(patient: Patient) -> Finding:
    """The root mean square of what each block puts out, of the outermost list of blocks."""
    expected = f"finite, and within {GROWN:.0e} times the first"
    lists = [
        part
        for part in patient.module.modules()
        if isinstance(part, nn.ModuleList | nn.Sequential) and len(part)
    ]
    lists.sort(key=lambda part: isinstance(part, nn.Sequential))  # stable: lists first, the outermost first
    blocks = lists[0] if lists else None
    if blocks is None:
        return unsuited(LAYERS, "the model has no list of blocks", expected)
    sizes: list[float] = []

    def note(module: nn.Module, given: object, out: object) -> None:
        tensor = out[0] if isinstance(out, tuple) and out else out
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            sizes.append(tensor.detach().double().square().mean().sqrt().item())

    hooks = [block.register_forward_hook(note) for block in blocks]
    try:
        patient.seeded(patient.ids())
    finally:
        for hook in hooks:
            hook.remove()
    if not sizes:
        return unsuited(LAYERS, "no block was seen to put out a tensor", expected)
    said = ", ".join(f"{size:.2g}" for size in sizes[:8])
    ratios = [size / max(sizes[0], 1e-12) for size in sizes]
    if not all(map(math.isfinite, sizes)) or max(ratios) > GROWN or 0 < min(ratios) < 1 / GROWN:
        remedy = "Norm before each part, keep residual sums, and scale the last layer of each part by 1/√(2 layers)."
        return wrong(LAYERS, "activations", said, expected, remedy)
    return passed(LAYERS, said, expected)
