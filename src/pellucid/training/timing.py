"""How fast a training is, and how many steps the minutes that are left to it allow."""

from __future__ import annotations

from collections import deque

from pellucid.training.checkpoints import Progress
from pellucid.training.schedules import Pace

REPLAN_SECONDS = 2.0  # between two looks at the clock by a run bounded by minutes
REPLAN_TOLERANCE = 0.02
LEAST_MARKS = 4  # steps without an evaluation among them, before their speed is believed


class Speed:
    """The speed of the last steps, and of the last evaluation.

    Args:
        minutes: of the run; 0 where steps bound it.
        eval_every: as of TrainConfig.
        now: seconds of the clock by which it is asked later.
    """

    def __init__(self, minutes: float, eval_every: int, now: float) -> None:
        self.minutes, self.eval_every = minutes, eval_every
        self._marks: deque[tuple[int, float, int]] = deque(maxlen=64)  # (step, seconds, tokens) just now
        self._evaluation_seconds = 0.0  # that the last one took, its checkpoint and sample included
        self._looked = now

    def evaluated(self, seconds: float) -> None:
        """An evaluation took so long; the speed is that of steps alone, and begins anew after it."""
        self._evaluation_seconds = seconds
        self._marks.clear()

    def paused(self, seconds: float) -> None:
        self._looked += seconds

    def stepped(self, progress: Progress) -> float:
        """Tokens a second, after another step."""
        self._marks.append((progress.step, progress.seconds, progress.tokens))
        (_, first_seconds, first_tokens), (_, last_seconds, last_tokens) = self._marks[0], self._marks[-1]
        passed, tokens = last_seconds - first_seconds, last_tokens - first_tokens
        return tokens / passed if passed > 0 else 0.0

    def new_total(self, progress: Progress, pace: Pace, now: float) -> int:
        """Bounded by minutes: when the plan no longer fits the time left, the steps of a new one; else 0."""
        left = 60 * self.minutes - progress.seconds
        known = len(self._marks) >= LEAST_MARKS or left <= 0
        if not (self.minutes and known) or now - self._looked < REPLAN_SECONDS:
            return 0
        self._looked = now
        step, planned = progress.step, pace.total_steps(progress.step)
        total = step + max(1, self._steps_in(left, pace.evaluations_left(step, self.eval_every)))
        is_new = abs(total - planned) > max(1, REPLAN_TOLERANCE * max(planned - step, 1))
        return total if is_new else 0

    def _steps_in(self, left: float, evaluations: float) -> int:
        """Steps in so many seconds, so many evaluations among them."""
        if left <= 0:
            return 0
        (first_step, first_seconds, _), (last_step, last_seconds, _) = self._marks[0], self._marks[-1]
        seconds_per_step = (last_seconds - first_seconds) / (last_step - first_step)
        # Half of it is for steps, whatever an evaluation took: that may have been on a cold or busy machine.
        return round(max(left - evaluations * self._evaluation_seconds, left / 2) / seconds_per_step)
