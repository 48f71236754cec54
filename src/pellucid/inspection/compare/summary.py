"""What trainings show: means and standard errors, differences, verdicts."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from pellucid.inspection.compare.contender import Comparison, Contender, Table
from pellucid.inspection.compare.trial import Trial
from pellucid.inspection.compare.verdict import DIVERGED, Difference, difference, mean_and_error

Training = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Row:
    """A contender's result; `loss` in nats a token, both scores as mean and standard error.

    `against` names the contender that `difference`, in bits per byte, is taken to; of the first both are None. A
    contender of whose trainings some diverged is scored by the others, and has no difference.
    """

    name: str
    says: str
    loss: tuple[float, float | None] | None
    bits_per_byte: tuple[float, float | None] | None
    training_loss: float | None
    against: str | None
    difference: Difference | None
    verdict: str
    parameters: int
    active_parameters: int
    tokens_per_second: float | None
    epochs: float
    n_trainings: int
    n_diverged: int
    unknown: int
    sample: str | None


@dataclasses.dataclass(frozen=True)
class Summary:
    """All rows of a comparison; `trainings` are those of each contender, `extra` the set's own table."""

    comparison: Comparison
    text: str
    budget: dict[str, Any]
    seeds: int
    rows: tuple[Row, ...]
    trainings: dict[str, list[Training]]
    extra: Table | None

    @property
    def figures(self) -> dict[str, list[dict[str, Any]]]:
        """The extra figures of all models that did not diverge."""
        return figures_of(self.trainings)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.comparison.name,
            "text": self.text,
            "budget": self.budget,
            "seeds": self.seeds,
            "rows": [dataclasses.asdict(row) for row in self.rows],
            "extra": dataclasses.asdict(self.extra) if self.extra else None,
        }


def figures_of(trainings: dict[str, list[Training]]) -> dict[str, list[dict[str, Any]]]:
    """The extra figures of all models that did not diverge, by contender."""
    return {
        name: [each["extra"] for each in own if not each["diverged"]]
        for name, own in trainings.items()
        if any(not each["diverged"] for each in own)
    }


def summarise(
    comparison: Comparison,
    trials: list[Trial],
    trainings: dict[str, list[Training]],
    budget: dict[str, Any],
    text: str,
) -> Summary:
    """Put the trainings together."""
    rows = tuple(_row(comparison, trial.contender, trainings) for trial in trials)
    seeds = max(len(own) for own in trainings.values())
    extra = comparison.extra.table(figures_of(trainings)) if comparison.extra else None
    return Summary(comparison, text, budget, seeds, rows, trainings, extra)


def _row(comparison: Comparison, contender: Contender, trainings: dict[str, list[Training]]) -> Row:
    own, rival = trainings[contender.name], comparison.rival(contender)
    whole = [each for each in own if not each["diverged"]]
    found = _difference(contender, rival, trainings) if rival else None
    speeds = [each["tokens_per_second"] for each in own if each["tokens_per_second"]]
    return Row(
        name=contender.name,
        says=contender.says,
        loss=mean_and_error([each["loss"] for each in whole]) if whole else None,
        bits_per_byte=mean_and_error([each["bits_per_byte"] for each in whole]) if whole else None,
        training_loss=statistics.fmean(each["training_loss"] for each in whole)
        if whole and whole[0]["training_loss"] is not None
        else None,
        against=rival.name if rival else None,
        difference=found,
        verdict=DIVERGED if len(whole) < len(own) else found.verdict if found else "",
        parameters=own[0]["parameters"],
        active_parameters=own[0]["active_parameters"],
        tokens_per_second=statistics.median(speeds) if speeds else None,
        epochs=statistics.fmean(each["epochs"] for each in own),
        n_trainings=len(own),
        n_diverged=len(own) - len(whole),
        unknown=max((each["unknown"] for each in whole), default=0),
        sample=next((each["sample"] for each in whole if each.get("sample")), None),
    )


def _difference(
    contender: Contender, rival: Contender, trainings: dict[str, list[Training]]
) -> Difference | None:
    """Seed by seed; what is counted is the same with every seed."""
    own, other = trainings[contender.name], trainings[rival.name]
    if any(each["diverged"] for each in (*own, *other)):
        return None
    scores, rivals = ([each["bits_per_byte"] for each in several] for several in (own, other))
    longest = max(len(scores), len(rivals))
    if contender.counted:
        scores = scores * longest
    if rival.counted:
        rivals = rivals * longest
    return difference(scores, rivals, exact=bool(contender.counted and rival.counted))
