"""Checks of learning: where the loss starts, whether it falls, and what its gradients reach.

Shapes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time

import torch
from torch import Tensor, nn

from pellucid.inspection.doctor.finding import Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient, cross_entropy, in_mode

START, LOGITS, OVERFIT, OWN = "initial loss", "logits are logits", "one batch is learned by heart", "targets fit logits"
REACH, TRUE, FROZEN, SIZES = "gradients reach all parameters", "gradients are true", "nothing is frozen", "gradient sizes"
LAYERS = "activations keep their scale"

EXCESS = 1.0  # nats above ln V that an untrained model may lose
STEPS, RATES = 40, (1e-2, 1e-3, 1e-1)
MUST_FALL_TO = 0.7  # of where it started
GRADIENT_BATCHES, GRADIENT_ROWS = 3, 8
DEAD = 1e-12  # of the largest gradient
STEP = 1e-5  # of finite differences, in float64
WRONG_SLOPE = 0.1
MOST_TENSORS, MOST_SECONDS = 80, 5.0  # measured by finite differences
EXPLODED, GROWN = 1e4, 1e3


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
        return [start, wrong(LOGITS, "probabilities for logits", "they sum to 1", "numbers of any sum", remedy)]
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
        cross_entropy(logits[:, :-2], ids[:, 2:]) if hugging else cross_entropy(logits[:, :-1], targets[:, 1:])
    )
    unshifted = cross_entropy(logits, ids)
    said = f"{loss.item():.3f} nats; with the next token {right.item():.3f}, with the one after it {twice.item():.3f}"

    def close(other: Tensor) -> bool:
        return abs(loss.item() - other.item()) < 1e-4 * max(1.0, abs(other.item()))

    if close(right) or hugging and close(unshifted):
        return passed(OWN, said, expected)
    if close(twice):
        remedy = "Shift once: give the model the tokens themselves, or take the shift out of its loss."
        return wrong(OWN, "targets shifted twice", said, expected, remedy)
    if close(unshifted) and not hugging:
        return wrong(OWN, "targets not shifted", said, expected, "Use the targets that are given, not the inputs.")
    return unsuited(OWN, f"{said}: another loss, or more than one", expected)


# ---------------------------------------------------------------------- gradients


@dataclasses.dataclass(frozen=True)
class Gradients:
    """The gradient of each parameter after a few batches, None where there is none, and the slopes of the loss."""

    of: dict[str, Tensor | None]
    largest: float

    def dead(self, name: str, parameter: nn.Parameter) -> bool:
        """Of vectors a missing gradient alone counts: a softmax gives the biases of keys none, rightly."""
        gradient = self.of[name]
        if gradient is None:
            return True
        return parameter.dim() > 1 and gradient.abs().max().item() <= DEAD * self.largest


def gradients(patient: Patient) -> Gradients:
    """Summed over a few batches in training mode."""
    module = patient.module
    module.zero_grad(set_to_none=True)
    with in_mode(module, training=True):
        for seed in range(GRADIENT_BATCHES):
            torch.manual_seed(seed)
            loss = patient.loss(*patient.batch(GRADIENT_ROWS, seed))
            if loss.requires_grad:
                loss.backward()
    found = {name: parameter.grad for name, parameter in module.named_parameters()}
    sizes = [g.abs().max().item() for g in found.values() if g is not None]
    module.zero_grad(set_to_none=True)
    return Gradients(found, max(sizes, default=0.0))


def block_of(name: str) -> str:
    """The block that a parameter belongs to, as "blocks.2"; the first part of its name where it is in none."""
    match = re.match(r"(.*?\.?\d+)\.", name)
    return match[1] if match else name.split(".")[0]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_frozen(patient: Patient) -> Finding:
    """Parameters that are told not to learn, where others like them do.

    Tables alone (sinusoidal positions, a mask) are told and not judged, nor a model that is frozen all over but for
    adapters.
    """
    expected, module = "every block learns", patient.module
    matrices = {n: p for n, p in module.named_parameters() if p.dim() > 1}
    frozen = [name for name, parameter in matrices.items() if not parameter.requires_grad]
    if not frozen:
        return passed(FROZEN, "all matrices learn", expected)
    layers = {
        f"{name}.weight" if name else "weight"
        for name, part in module.named_modules()
        if isinstance(getattr(part, "weight", None), nn.Parameter) and not isinstance(part, nn.Embedding)
    }
    blocks: dict[str, list[bool]] = {}
    for name, parameter in matrices.items():
        blocks.setdefault(block_of(name), []).append(parameter.requires_grad)
    whole = [block for block, learns in blocks.items() if not any(learns) and len(learns) > 1]
    single = [name for name in frozen if name in layers]
    adapters = len(frozen) < len(matrices) and not whole and 2 * len(frozen) >= len(matrices)
    if (whole or single) and not adapters:
        remedy = "Leave requires_grad on, and give all parameters to the optimizer."
        said = f"requires_grad is off in {_listed(whole or single)}"
        return wrong(FROZEN, "frozen block", said, expected, remedy)
    return unsuited(FROZEN, f"requires_grad is off in {_listed(frozen)}: a table, or the base of adapters", expected)


def check_gradients(stirred: Patient) -> list[Finding]:
    """Whether a gradient reaches each parameter, and whether it is the slope of the loss there."""
    found = gradients(stirred)
    parameters = {n: p for n, p in stirred.module.named_parameters() if p.requires_grad}
    expected = "a gradient that is not 0 for each matrix"
    if not math.isfinite(found.largest):
        remedy = "Look for a division by 0, a root of 0, or a row that is all hidden."
        return [wrong(REACH, "not finite", "gradients are not finite", "finite ones", remedy)]
    dead = [name for name, parameter in parameters.items() if found.dead(name, parameter)]
    slopes = measured_slopes(stirred, parameters, found, first=dead)
    if not dead:
        reach = passed(REACH, f"{len(parameters)} parameters have one", expected)
    else:
        cut = [name for name in dead if name in slopes and abs(slopes[name][1]) > 1e-6 * found.largest]
        reach = _dead(dead, cut, parameters, expected)
    return [reach, _true(slopes, dead)]


def _dead(dead: list[str], cut: list[str], parameters: dict[str, nn.Parameter], expected: str) -> Finding:
    said = f"none in {_listed(dead)}"
    if not cut:
        remedy = "Use them in forward, or take them out."
        return wrong(REACH, "unused parameters", f"{said}, and no influence", expected, remedy)
    blocks = {block_of(name) for name in cut}
    of_blocks = [n for n, p in parameters.items() if block_of(n) in blocks and p.dim() > 1]
    matrices = [name for name in cut if parameters[name].dim() > 1]
    whole = len(blocks) == 1 and re.search(r"\d$", next(iter(blocks))) and sorted(matrices) == sorted(of_blocks)
    if whole and len(matrices) > 1:
        remedy = "Let the gradient through this block: no detach(), no_grad() or hook around it."
        return wrong(REACH, "frozen block", f"{said}, though the loss hangs on them", expected, remedy)
    remedy = "Look for detach(), no_grad(), .data or .item() after these parameters, and take it out."
    return wrong(REACH, "detached gradient", f"{said}, though the loss hangs on them", expected, remedy)


def measured_slopes(
    patient: Patient, parameters: dict[str, nn.Parameter], found: Gradients, first: list[str]
) -> dict[str, tuple[float, float, float]]:
    """Along a random direction of each parameter: the gradient's slope, the loss's own, and the gradient's size.

    Nothing where the model does not compute in float64 or the loss is not reproducible.
    """
    if patient.tolerance > 1e-6 or not patient.reproducible:
        return {}
    names = first[:MOST_TENSORS] + [name for name in parameters if name not in first]
    slopes: dict[str, tuple[float, float, float]] = {}
    started = time.perf_counter()
    for name in names[:MOST_TENSORS]:
        if time.perf_counter() - started > MOST_SECONDS:
            break
        gradient = found.of[name]
        tries = [_slope(patient, parameters[name], gradient, seed) for seed in (0,)]
        if _differs(tries[0]):  # routing to experts jumps: what is wrong is wrong in every direction
            tries += [_slope(patient, parameters[name], gradient, seed) for seed in (1, 2)]
        slopes[name] = min(tries, key=_error)
    return slopes


def _slope(
    patient: Patient, parameter: nn.Parameter, gradient: Tensor | None, seed: int
) -> tuple[float, float, float]:
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    direction /= direction.norm()
    step, losses = STEP / 3**seed, []
    with in_mode(patient.module, training=True), torch.no_grad():
        for sign in (1, -1):
            parameter += sign * step * direction
            total = 0.0
            for batch in range(GRADIENT_BATCHES):
                torch.manual_seed(batch)
                total += patient.loss(*patient.batch(GRADIENT_ROWS, batch)).item()
            losses.append(total)
            parameter -= sign * step * direction
    own = (losses[0] - losses[1]) / (2 * step)
    if gradient is None:
        return 0.0, own, 0.0
    return (gradient * direction).sum().item(), own, gradient.norm().item() / math.sqrt(gradient.numel())


def _error(slope: tuple[float, float, float]) -> float:
    told, own, size = slope
    return abs(told - own) / max(abs(told), abs(own), size, 1e-7)


def _differs(slope: tuple[float, float, float]) -> bool:
    return _error(slope) > WRONG_SLOPE and abs(slope[1]) > 1e-7


def _true(slopes: dict[str, tuple[float, float, float]], dead: list[str]) -> Finding:
    expected = f"the slope of the loss, to {WRONG_SLOPE:.0%}"
    if not slopes:
        return unsuited(TRUE, "the model does not compute in float64, or draws anew each time", expected)
    off = {name: slope for name, slope in slopes.items() if name not in dead and _differs(slope)}
    worst = max(map(_error, slopes.values()))
    if not off:
        return passed(TRUE, f"off by {worst:.1e} at most in {len(slopes)} parameters", expected)
    name, (told, own, _) = max(off.items(), key=lambda item: _error(item[1]))
    said = f"{len(off)} of {len(slopes)} are off; {name} has {told:.2e} where the loss changes by {own:.2e}"
    remedy = "Look for detach(), no_grad() or .data on one of several paths, and take it out."
    return wrong(TRUE, "detached gradient", said, expected, remedy)


def check_sizes(patient: Patient) -> Finding:
    """Gradient norms per block at the weights as they are: none explodes."""
    found = gradients(patient)
    norms: dict[str, float] = {}
    for name, gradient in found.of.items():
        if gradient is not None:
            block = block_of(name)
            norms[block] = math.hypot(norms.get(block, 0.0), gradient.norm().item())
    numbered = {block: norm for block, norm in norms.items() if re.search(r"\d$", block)} or norms
    expected = f"no block more than {EXPLODED:.0e} times the middle one"
    if not numbered:
        return unsuited(SIZES, "no parameter has a gradient", expected)
    ordered = sorted(numbered.values())
    middle = ordered[len(ordered) // 2]
    said = ", ".join(f"{block} {norm:.1e}" for block, norm in list(numbered.items())[:6])
    if not all(map(math.isfinite, ordered)) or middle > 0 and ordered[-1] > EXPLODED * middle:
        remedy = "Add norms and residual sums, and initialise smaller."
        return wrong(SIZES, "exploding gradients", said, expected, remedy)
    return passed(SIZES, said, expected)


def check_layers(patient: Patient) -> Finding:
    """The root mean square of what each block puts out, of the longest list of blocks there is."""
    expected = f"finite, and within {GROWN:.0e} times the first"
    lists = [part for part in patient.module.modules() if isinstance(part, nn.ModuleList | nn.Sequential)]
    blocks = max(lists, key=len, default=None)
    if blocks is None or not len(blocks):
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


# ---------------------------------------------------------------------- tying

TIED = "tied weights are one tensor"


def declared_tied(module: nn.Module) -> bool | None:
    """Whether the model says that its embedding and head are one; None where it says nothing."""
    said: list[bool] = []
    for owner in (module, *(getattr(module, n, None) for n in ("config", "cfg", "args", "hparams"))):
        values = owner if isinstance(owner, dict) else getattr(owner, "__dict__", {})
        said += [v for n, v in values.items() if re.match(r"(weight_?|share_?)?(tie|tying|tied)", n) and v in (True, False)]
        if owner is not module and owner is not None and not isinstance(owner, dict):
            value = getattr(owner, "tie_word_embeddings", getattr(owner, "tie_embeddings", None))
            said += [value] if isinstance(value, bool) else []
    return any(said) if said else None


def check_tied(patient: Patient) -> Finding:
    """Whether tables and heads of one shape that are declared to be one, or have equal numbers, are one parameter."""
    module, expected = patient.module, "one tensor, where they are meant to be tied"
    tables = {n: p.weight for n, p in module.named_modules() if isinstance(p, nn.Embedding)}
    heads = {
        n: p.weight
        for n, p in module.named_modules()
        if isinstance(p, nn.Linear) and isinstance(p.weight, Tensor) and p.out_features >= patient.vocab_size
    }
    pairs = [(a, b, x, y) for a, x in tables.items() for b, y in heads.items() if x.shape == y.shape]
    if not pairs:
        return unsuited(TIED, "the model has no embedding and head of one shape", expected)
    declared = declared_tied(module)
    for table, head, x, y in pairs:
        if x is y:
            return passed(TIED, f"{table} and {head} are one", expected)
    remedy = "Assign the parameter itself, head.weight = embedding.weight, after all initialising and loading."
    for table, head, x, y in pairs:
        equal = torch.equal(x, y) and bool(x.std() > 0)
        if declared or equal:
            why = "declared to be tied" if declared else "with equal numbers"
            said = f"{table} and {head} are two parameters, {why}"
            return wrong(TIED, "accidental untying", said, expected, remedy)
    return passed(TIED, "embedding and head are two, and not declared to be one", expected)
