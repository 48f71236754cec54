"""How far a run has come, and the learning rate there.

A run bounded by minutes does not know its number of steps in advance. `Pace` therefore holds a list of plans,
each "from this step on, the run will have so many steps", made by the clock, written to the journal before they
count, and replayed on resuming: the learning rate of every step is a function of the journal alone.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

Schedule = Literal["cosine", "wsd", "constant"]

DECAY_SHARE = 0.3  # of a warm-up–stable–decay run is decay
EVALUATIONS = 10  # of a run, besides the one before its first step


@dataclasses.dataclass(frozen=True)
class Plan:
    """From `step` on, at `progress`, the run is to end after `total_steps`."""

    step: int
    progress: float
    total_steps: int


class Pace:
    """Progress from 0 to 1 over a run's steps, continuous over every change of plan."""

    def __init__(self, total_steps: int) -> None:
        self.plans = [Plan(0, 0.0, total_steps)]
        self.extensions: set[int] = set()  # the steps at which a resumed run was given another budget

    def plan_at(self, step: int) -> Plan:
        """The plan in force at `step`."""
        return next(plan for plan in reversed(self.plans) if plan.step <= step or plan.step == 0)

    def progress(self, step: int) -> float:
        plan = self.plan_at(step)
        if step >= plan.total_steps:
            return 1.0
        share = (step - plan.step) / (plan.total_steps - plan.step)
        return plan.progress + share * (1 - plan.progress)

    def total_steps(self, step: int) -> int:
        return self.plan_at(step).total_steps

    def change(self, step: int, total_steps: int) -> None:
        """From `step` on, end after `total_steps`; plans made for later steps are dropped."""
        progress = self.progress(step)
        self.plans = [plan for plan in self.plans if plan.step < step or plan.step == 0]
        if step == 0:
            self.plans = []
        self.plans.append(Plan(step, progress, max(total_steps, step)))

    def extend(self, step: int, total_steps: int) -> None:
        """From `step` on, go on as a run of `total_steps` would at that step: its fall of rates comes at its end."""
        self.change(step, total_steps)
        self.plans[-1] = Plan(step, min(1.0, step / max(total_steps, 1)), self.plans[-1].total_steps)
        self.extensions.add(step)

    def evaluation_due(self, step: int, every: int) -> bool:
        """Whether a run is scored at `step`: each `every` steps, or, at 0, so often in all; always first and last."""
        if step == 0 or step >= self.total_steps(step) or step in self.extensions:
            return True
        if every:
            return step % every == 0
        passed = (int(EVALUATIONS * self.progress(s)) for s in (step - 1, step))
        return next(passed) < next(passed)

    def evaluations_left(self, step: int, every: int) -> float:
        """How many there are to come, roughly."""
        if every:
            return (self.total_steps(step) - step) / every
        return EVALUATIONS * (1 - self.progress(step))


def rate_multiplier(
    schedule: Schedule,
    progress: float,
    step: int,
    warmup_steps: int,
    floor: float = 0.0,
    start: float = 0.0,
) -> float:
    """The learning rate of `step` as a share of its peak.

    Args:
        schedule: "cosine" falls from the end of warm-up (Loshchilov & Hutter 2017); "wsd" stays and falls
            linearly over the last 30 % (Hu et al. 2024, MiniCPM, section 4); "constant" stays.
        progress: of the run, 0 to 1.
        warmup_steps: steps of linear rise, the first one a part in `warmup_steps` above `start`.
        floor: the share the fall ends at.
        start: the share the rise begins at.
    """
    warmup = start + (1 - start) * min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    if schedule == "cosine":
        fall = 0.5 * (1 + math.cos(math.pi * progress))
    elif schedule == "wsd":
        fall = min(1.0, (1 - progress) / DECAY_SHARE)
    else:
        fall = 1.0
        floor = 0.0
    return warmup * (floor + (1 - floor) * fall)
