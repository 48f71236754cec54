"""All checks of a model, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from pellucid.inspection.doctor import attention, flow, gradients, learning, tying
from pellucid.inspection.doctor.finding import Diagnosis, Finding, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient


def diagnose(patient: Patient, fresh: Patient | None = None, declared_none: bool = False) -> Diagnosis:
    """Every check that needs nothing but the model; nothing of it is changed.

    Args:
        patient: the model, trained or not.
        fresh: the same untrained, where `patient` is a trained one: the loss starts there.
        declared_none: whether its configuration says that it has no positions.
    """
    return Diagnosis.of(patient.name, findings(patient, fresh, declared_none))


def findings(patient: Patient, fresh: Patient | None = None, declared_none: bool = False) -> list[Finding]:
    """The findings of `diagnose`, in the order of the checks."""
    before = torch.get_rng_state()
    try:
        return _findings(patient, fresh or patient, declared_none)
    finally:
        torch.set_rng_state(before)


def _findings(patient: Patient, fresh: Patient, declared_none: bool) -> list[Finding]:
    stirred = patient.stirred()
    found = [
        *_tried("initial loss", lambda: learning.check_start(fresh)),
        *_tried("attention", lambda: attention.check_attention(stirred, patient)),
        *_tried("tied weights", lambda: [tying.check_tied(patient)]),
        *_tried("nothing is frozen", lambda: [gradients.check_frozen(patient)]),
        *_tried(gradients.REGISTERED, lambda: [gradients.check_registered(patient)]),
    ]
    if not math.isfinite(stirred.seeded(stirred.ids()).sum().item()):
        if not any(each.cause for each in found):
            remedy = "Look for a division by 0, a row that is all hidden, or a missing norm."
            found.append(wrong("finite", "not finite", "logits are not finite", "finite ones", remedy))
        return [*found, unsuited("all other checks", "the logits are not finite: mend that first")]
    return [
        *found,
        *_tried(flow.REPEATS, lambda: [flow.check_repeats(stirred)]),
        *_tried(flow.ROWS, lambda: [flow.check_rows(stirred)]),
        *_tried(flow.REACH_BACK, lambda: [flow.check_reach(stirred)]),
        *_tried("the future is hidden", lambda: flow.check_future(stirred)),
        *_tried(flow.PLACES, lambda: flow.check_positions(stirred, declared_none)),
        *_tried(gradients.REACH, lambda: gradients.check_gradients(stirred)),
        *_tried(learning.OWN, lambda: [learning.check_own_loss(stirred)]),
        *_tried(gradients.SIZES, lambda: [gradients.check_sizes(patient)]),
        *_tried(learning.LAYERS, lambda: [learning.check_layers(patient)]),
        *_tried(learning.OVERFIT, lambda: [learning.check_overfit(fresh)]),
    ]


def _tried(check: str, run: Callable[[], list[Finding]]) -> list[Finding]:
    """What a check finds; where a stranger's model cannot bear it, that is said."""
    try:
        return run()
    except Exception as error:  # what a stranger's forward raises is not known
        return [
            unsuited(check, f"the model failed in this check ({type(error).__name__}: {str(error)[:120]})")
        ]
