"""Checks of gradients: what they reach, whether they are the slopes of the loss, how large they are.

Shapes: those of the parameters.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.inspection.doctor.finding import Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient, in_mode

REACH, TRUE = "gradients reach all parameters", "gradients are true"
FROZEN, SIZES = "nothing is frozen", "gradient sizes"
REGISTERED = "every weight is a parameter"

GRADIENT_BATCHES, GRADIENT_ROWS = 3, 8
DEAD = 1e-12  # of the largest gradient
STEPS_ASIDE = (1e-5, 1e-3, 3e-3)  # of finite differences: the larger ones where part of the model is float32
WRONG_SLOPE = 0.1
SLIGHTLY_WRONG = 1e-3  # enough to tell a cut path from a frozen block
MOST_TENSORS, MOST_SECONDS = 80, 5.0  # measured by finite differences
EXPLODED = 1e4


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
    return unsuited(
        FROZEN, f"requires_grad is off in {_listed(frozen)}: a table, or the base of adapters", expected
    )


def check_registered(patient: Patient) -> Finding:
    """Whether all that the loss would train is among the module's parameters, which alone are trained and kept."""
    expected = "what has a gradient is in module.parameters()"
    with in_mode(patient.module, training=True):
        loss = patient.loss(*patient.batch(1))
    parameters = {id(parameter) for parameter in patient.module.parameters()}
    strange = [leaf for leaf in _leaves(loss) if id(leaf) not in parameters]
    if not strange:
        return passed(REGISTERED, "all are", expected)
    sizes = ", ".join(" × ".join(map(str, leaf.shape)) or "1" for leaf in strange[:3])
    more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
    remedy = "Put modules into nn.ModuleList or nn.ModuleDict, and weights into nn.Parameter."
    said = f"{len(strange)} of the tensors that the loss would train are not: {sizes}{more}"
    return wrong(REGISTERED, "not registered", said, expected, remedy)


def _leaves(loss: Tensor) -> list[Tensor]:
    """The tensors that a backward pass would leave gradients in, each once."""
    found, seen, left = dict[int, Tensor](), set[Any](), [loss.grad_fn]
    while left:
        node: Any = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (leaf := getattr(node, "variable", None)) is not None:
            found[id(leaf)] = leaf
        left += [following for following, _ in node.next_functions]
    return list(found.values())


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
        elsewhere = any(_error(slope) > SLIGHTLY_WRONG for name, slope in slopes.items() if name not in dead)
        reach = _dead(dead, cut, parameters, elsewhere)
    return [reach, _true(slopes, dead)]


def _dead(dead: list[str], cut: list[str], parameters: dict[str, nn.Parameter], elsewhere: bool) -> Finding:
    """The finding of parameters without a gradient.

    Args:
        cut: those of them on which the loss hangs.
        elsewhere: whether gradients of others are wrong, too: then a path is cut, and not a block frozen.
    """
    expected = "a gradient that is not 0 for each matrix"
    said = f"none in {_listed(dead)}"
    if not cut:
        remedy = "Use them in forward, or take them out."
        return wrong(REACH, "unused parameters", f"{said}, and no influence", expected, remedy)
    blocks = {block_of(name) for name in cut}
    of_blocks = [n for n, p in parameters.items() if block_of(n) in blocks and p.dim() > 1]
    matrices = [name for name in cut if parameters[name].dim() > 1]
    whole = (
        len(blocks) == 1 and re.search(r"\d$", next(iter(blocks))) and sorted(matrices) == sorted(of_blocks)
    )
    if whole and len(matrices) > 1 and not elsewhere:
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
        tries = [_slope(patient, parameters[name], gradient, 0)]
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
    step, losses = STEPS_ASIDE[seed], list[float]()
    with in_mode(patient.module, training=True), torch.no_grad():
        for sign in (1, -1):
            parameter.add_(direction, alpha=sign * step)
            total = 0.0
            for batch in range(GRADIENT_BATCHES):
                torch.manual_seed(batch)
                total += patient.loss(*patient.batch(GRADIENT_ROWS, batch)).item()
            losses.append(total)
            parameter.sub_(direction, alpha=sign * step)
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
    if not all(map(math.isfinite, ordered)) or (middle > 0 and ordered[-1] > EXPLODED * middle):
        remedy = "Add norms and residual sums, and initialise smaller."
        return wrong(SIZES, "exploding gradients", said, expected, remedy)
    return passed(SIZES, said, expected)
