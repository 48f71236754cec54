"""Time that passes as a test says: no load of the machine changes what hangs on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

MEASURED_SECONDS = 0.01  # that a step is measured to take before the training


class Clock:
    """The clock of the training loop and of its pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step_seconds: Callable[[int], float] = lambda step: MEASURED_SECONDS

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What a step is measured to take is `MEASURED_SECONDS`, and what the one after step n takes `step_seconds(n)`."""
    import pellucid.training.plan
    from pellucid.training import control, loop

    made, step = Clock(), loop.Trainer._step

    def timed_step(trainer: loop.Trainer, offset: float) -> None:
        made.now += made.step_seconds(trainer.progress.step)
        step(trainer, offset)

    monkeypatch.setattr(loop.Trainer, "_step", timed_step)
    monkeypatch.setattr(loop, "time", made)
    monkeypatch.setattr(control, "time", made)
    monkeypatch.setattr(pellucid.training.plan, "seconds_per_step", lambda trainer: MEASURED_SECONDS)
    return made
