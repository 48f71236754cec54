"""Whether an embedding and a head that are meant to be one tensor are one."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from pellucid.inspection.doctor.finding import Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient

TIED = "tied weights are one tensor"


def declared_tied(module: nn.Module) -> bool | None:
    """Whether the model says that its embedding and head are one; None where it says nothing."""
    said: list[bool] = []
    for owner in (module, *(getattr(module, n, None) for n in ("config", "cfg", "args", "hparams"))):
        values = owner if isinstance(owner, dict) else getattr(owner, "__dict__", {})
        said += [
            v
            for n, v in values.items()
            if re.match(r"(weight_?|share_?)?(tie|tying|tied)", n) and v in (True, False)
        ]
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
    remedy = (
        "Assign the parameter itself, head.weight = embedding.weight, after all initialising and loading."
    )
    for table, head, x, y in pairs:
        equal = torch.equal(x, y) and bool(x.std() > 0)
        if declared or equal:
            why = "declared to be tied" if declared else "with equal numbers"
            said = f"{table} and {head} are two parameters, {why}"
            return wrong(TIED, "accidental untying", said, expected, remedy)
    return passed(TIED, "embedding and head are two, and not declared to be one", expected)
