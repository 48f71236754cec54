"""The doctor names each planted bug by what it does, and what it measured is in the finding."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import strangers
import torch
from torch import nn

from pellucid.errors import InputError
from pellucid.inspection.doctor import diagnose, load_stranger
from pellucid.inspection.doctor.finding import CAUSES, CONSEQUENCES
from pellucid.inspection.doctor.patient import make_patient
from pellucid.inspection.doctor.runs import rise, symptom

FILE = Path(strangers.__file__)
CHECKS = {  # the check that a cause belongs to
    "wrong softmax axis": "softmax axis",
    "mask after the softmax": "mask before the softmax",
    "mask in training only": "future hidden in evaluation",
    "mask in evaluation only": "future hidden in training",
    "missing mask": "future hidden in evaluation",
    "positions not added": "positions reach the model",
    "rotary along the head axis": "positions reach the model",
    "no scaling": "score scale",
    "frozen block": "nothing is frozen",
    "not registered": "every weight is a parameter",
    "targets shifted twice": "targets fit logits",
    "accidental untying": "tied weights are one tensor",
    "initialisation": "initial loss",
    "unused parameters": "gradients reach all parameters",
    "attention dropout active in evaluation": "evaluation gives the same twice",
}


@pytest.mark.parametrize("bug", strangers.BUGS)
def test_a_planted_bug_is_named(bug: str):
    diagnosis = diagnose(load_stranger(f"{FILE}:{bug}"))
    cause = strangers.BUGS[bug]
    assert diagnosis.causes[0] == cause
    assert diagnosis.conclusion.startswith(f"Likely bug: {cause}. {CAUSES[cause]}")
    found = [finding for finding in diagnosis.findings if finding.cause == cause]
    assert found[0] is diagnosis.findings[0], "worst first"
    assert all(f.verdict == "wrong" and f.measured and f.expected and f.remedy for f in found)
    if cause in CHECKS:
        assert CHECKS[cause] in {finding.check for finding in found}


@pytest.mark.parametrize("model", strangers.HEALTHY, ids=lambda model: model.__name__)
def test_a_healthy_stranger_raises_no_alarm(model: type):
    diagnosis = diagnose(load_stranger(f"{FILE}:{model.__name__}"))
    assert diagnosis.healthy, diagnosis.causes
    assert "Nothing is wrong" in diagnosis.conclusion
    assert any(finding.verdict == "ok" for finding in diagnosis.findings)


def test_positions_do_not_apply_to_a_bigram():
    diagnosis = diagnose(load_stranger(f"{FILE}:Table"))
    places = next(finding for finding in diagnosis.findings if "positions" in finding.check)
    assert places.verdict == "not applicable" and "bigram" in places.measured


def test_nothing_of_the_model_is_changed():
    torch.manual_seed(0)
    model = strangers.GPT(p=0.1).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    diagnose(make_patient("GPT", model))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(part.training for part in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_causes_that_follow_from_others_are_known():
    for cause, roots in CONSEQUENCES.items():
        assert {cause, *roots} <= CAUSES.keys()
    assert set(strangers.BUGS.values()) <= CAUSES.keys()


# ---------------------------------------------------------------------- loading


@pytest.mark.parametrize("error", [KeyError, AssertionError, ZeroDivisionError, OSError])
def test_a_model_that_fails_in_a_check_does_not_end_the_diagnosis(error: type[Exception]):
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(30, 8), nn.Linear(8, 30)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise error("not today")
            return self.head(self.table(ids))

    findings = diagnose(make_patient("Picky", Picky())).findings
    assert any(f"the model failed in this check ({error.__name__}" in found.measured for found in findings)


def test_a_vocabulary_and_a_context_are_found_by_trying():
    class Short(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.places = nn.Embedding(30, 8), nn.Embedding(6, 8)
            self.head = nn.Linear(8, 32)  # two rows to spare

        def forward(self, ids: torch.Tensor):
            x = self.table(ids) + self.places(torch.arange(ids.shape[1]))
            return SimpleNamespace(logits=self.head(x.cumsum(1)))

    patient = make_patient("Short", Short())
    assert (patient.vocab_size, patient.length) == (30, 5)


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        ("x = 1", "Model", "has no Model"),
        ("x = 1", "x", "is no class"),
        ("1 / 0", "Model", "cannot be executed"),
        ("raise SystemExit", "Model", "cannot be executed"),
        ("class Model:\n    pass", "Model", "must be a torch.nn.Module"),
        ("class Model:\n    def __init__(self, what): pass", "Model", "insists on 'what'"),
        ("import torch\nclass Model(torch.nn.Module):\n    pass", "Model", "cannot be run on token ids"),
        (
            "import torch\nclass Model(torch.nn.Module):\n    def forward(self, ids): return ids.float()",
            "Model",
            "must give logits",
        ),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, source: str, name: str, words: str):
    path = tmp_path / "theirs.py"
    path.write_text(source)
    with pytest.raises(InputError, match=words):
        load_stranger(f"{path}:{name}")


def test_arguments_that_are_insisted_on_are_given(tmp_path: Path):
    path = tmp_path / "theirs.py"
    path.write_text(
        "import dataclasses, torch\n"
        "@dataclasses.dataclass\n"
        "class Config:\n"
        "    vocab_size: int\n"
        "class Model(torch.nn.Module):\n"
        "    def __init__(self, config):\n"
        "        super().__init__()\n"
        "        self.table = torch.nn.Embedding(config.vocab_size, config.vocab_size)\n"
        "    def forward(self, ids):\n"
        "        return self.table(ids)\n"
    )
    assert load_stranger(f"{path}:Model").vocab_size == 61


# ---------------------------------------------------------------------- symptoms


def test_a_rise_is_measured_from_the_lowest():
    assert rise([3.0, 2.0, 1.0, 1.0, 1.0]) == 0
    assert rise([3.0] + 20 * [1.0] + 20 * [4.0]) == pytest.approx(3.0)
    assert rise([3.0, 1.0, float("nan")]) != rise([3.0, 1.0, float("nan")])


def test_symptoms_of_a_text_are_told():
    assert "always the same" in symptom("a" * 30)
    assert "repeats itself" in symptom("the cat sat. " * 6)
    assert "nothing" in symptom(" \n")
    assert symptom("The owl sees the moon by the river.").startswith("text")
