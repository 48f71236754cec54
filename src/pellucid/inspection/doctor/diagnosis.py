"""All checks of a model, and what they say together."""

from __future__ import annotations

import math

import torch

from pellucid.inspection.doctor import attention, flow, learning
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
    found = [*learning.check_start(fresh), *attention.check_attention(stirred, patient)]
    found += [learning.check_tied(patient), learning.check_frozen(patient)]
    if not math.isfinite(stirred.seeded(stirred.ids()).sum().item()):
        if not any(each.cause for each in found):
            remedy = "Look for a division by 0, a row that is all hidden, or a missing norm."
            found.append(wrong("finite", "not finite", "logits are not finite", "finite ones", remedy))
        return [*found, unsuited("all other checks", "the logits are not finite: mend that first")]
    found += [flow.check_repeats(stirred), flow.check_rows(stirred)]
    found += flow.check_future(stirred)
    found += flow.check_positions(stirred, declared_none)
    found += learning.check_gradients(stirred)
    found += [learning.check_own_loss(stirred), learning.check_sizes(patient), learning.check_layers(patient)]
    return [*found, learning.check_overfit(fresh)]
