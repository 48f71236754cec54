"""What a check found, and which bug all findings together point to."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

Verdict = Literal["ok", "wrong", "not applicable"]
OK, WRONG, NOT_APPLICABLE = "ok", "wrong", "not applicable"

# Causes, the root of others first: where the softmax is wrong the future leaks, too, and the softmax is to be named.
CAUSES: dict[str, str] = {
    "wrong tokenizer": "The tokenizer is not the one that the model was trained with.",
    "learning rate too high": "The learning rate is far too high, as if multiplied by 100.",
    "wrong softmax axis": "The softmax runs over the wrong axis: it must sum to 1 over the keys of each query.",
    "mask after the softmax": "The mask is applied after the softmax: hidden keys take their share of the weights.",
    "weak mask": "The mask does not hide: masked scores must be −∞ before the softmax, not 0 or a small number.",
    "mask the wrong way round": "The mask is the wrong way round: tokens see what follows and not what came before.",
    "mask off by one": "The mask is off by one: each token sees the very next one, its answer.",
    "mask in training only": "The mask works in training only: in evaluation tokens see the future.",
    "mask in evaluation only": "The mask works in evaluation only: in training tokens see their answers.",
    "heads cut wrongly": "The heads are cut from the wrong axes: tokens see pieces of the text alone.",
    "times mixed": "Something besides attention mixes the tokens of different times, later ones too.",
    "missing mask": "The causal mask is missing: tokens see the future.",
    "rows mix": "The rows of a batch influence one another: something is computed over the batch's axis.",
    "attention dropout active in evaluation": "Attention dropout is active in evaluation.",
    "dropout active in evaluation": "Dropout is active in evaluation.",
    "rotary along the head axis": "The rotary rotation runs along the head axis instead of time: positions are lost.",
    "positions not added": "Positions are missing: they are not added, or do not reach the attention.",
    "targets shifted twice": "The targets are shifted twice: the model is trained to guess the token after the next.",
    "targets not shifted": "The targets are not shifted: the model is trained to repeat the token it reads.",
    "frozen block": "A block is frozen: its parameters never learn.",
    "detached gradient": "The gradient is detached: part of the path has none (a detach, no_grad or .data).",
    "not registered": "Some weights are in no parameter, as those of a plain list: they are neither trained nor kept.",
    "unused parameters": "Some parameters are never used: they have no influence on the loss.",
    "accidental untying": "The embedding and the head are accidentally untied: two copies that learn apart.",
    "no scaling": "Attention scores are not scaled by 1/√d: the softmax saturates as heads grow.",
    "probabilities for logits": "The model gives probabilities instead of logits: the loss takes a second softmax.",
    "template differs": "Training and answering write a conversation with different templates.",
    "not finite": "The forward pass gives numbers that are not finite.",
    "initialisation": "The initialisation is too large: the untrained model is confidently wrong.",
    "exploding gradients": "Gradients explode in some blocks.",
    "activations": "Activations change their scale too much from layer to layer.",
    "loss rose": "The training became unstable.",
    "cannot learn": "The model cannot learn even one small batch by heart.",
}
CONSEQUENCES = {  # what is not worth telling beside the cause that explains it
    "cannot learn": tuple(name for name in CAUSES if name != "cannot learn"),
    "unused parameters": ("positions not added", "rotary along the head axis"),
    "not finite": ("wrong softmax axis", "learning rate too high"),
    "loss rose": ("learning rate too high", "wrong tokenizer"),
    "missing mask": ("wrong softmax axis", "mask after the softmax", "weak mask"),
    "rows mix": ("wrong softmax axis",),
    "detached gradient": ("not finite",),
    "no scaling": ("wrong softmax axis",),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One check.

    Args:
        check: what was looked at, in a few words.
        measured, expected: each with its number.
        remedy: what to do, in one sentence; empty where nothing is wrong.
        cause: the bug that it points to, one of CAUSES; empty where nothing is wrong.
    """

    check: str
    verdict: Verdict
    measured: str
    expected: str
    remedy: str = ""
    cause: str = ""

    def to_dict(self) -> dict[str, str]:
        return dataclasses.asdict(self)


def passed(check: str, measured: str, expected: str) -> Finding:
    return Finding(check, OK, measured, expected)


def wrong(check: str, cause: str, measured: str, expected: str, remedy: str) -> Finding:
    assert cause in CAUSES, cause
    return Finding(check, WRONG, measured, expected, remedy, cause)


def unsuited(check: str, why: str, expected: str = "") -> Finding:
    """A check that does not apply, or whose outcome is told and not judged."""
    return Finding(check, NOT_APPLICABLE, why, expected)


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """All findings on one model, worst first."""

    subject: str
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, subject: str, findings: list[Finding]) -> Diagnosis:
        rank = {cause: place for place, cause in enumerate(CAUSES)}
        order = {WRONG: 0, OK: 1, NOT_APPLICABLE: 2}
        key = lambda found: (order[found.verdict], rank.get(found.cause, 0))  # noqa: E731
        return cls(subject, tuple(sorted(findings, key=key)))

    @property
    def healthy(self) -> bool:
        return not self.causes

    @property
    def causes(self) -> list[str]:
        """The bugs found, the likeliest root first, without mere consequences."""
        found = dict.fromkeys(finding.cause for finding in self.findings if finding.verdict == WRONG)
        return [c for c in found if not any(root in found for root in CONSEQUENCES.get(c, ()))]

    @property
    def conclusion(self) -> str:
        """One sentence on the likely bug; a second one where there are others."""
        if self.healthy:
            n_ok = sum(finding.verdict == OK for finding in self.findings)
            return f"Nothing is wrong with {self.subject}: {n_ok} checks passed."
        first, *others = self.causes
        said = f"Likely bug: {first}. {CAUSES[first]}"
        return said + (f" Also found: {', '.join(others)}." if others else "")

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "healthy": self.healthy,
            "causes": self.causes,
            "conclusion": self.conclusion,
            "findings": [finding.to_dict() for finding in self.findings],
        }
