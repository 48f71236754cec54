"""Learning rates over a run, and the plans behind them."""

from __future__ import annotations

import itertools
import math

import pytest

from pellucid.training.schedules import Pace, rate_multiplier


def test_warmup_rises_in_equal_steps_to_the_peak():
    rates = [rate_multiplier("constant", step / 100, step, warmup_steps=4) for step in range(6)]
    assert rates == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_constant_stays_whatever_the_floor():
    assert {rate_multiplier("constant", step / 50, step, 0, floor=0.3) for step in range(50)} == {1.0}


def test_wsd_stays_until_seven_tenths_and_then_falls_in_a_line_to_its_floor():
    def rate(progress: float) -> float:
        return rate_multiplier("wsd", progress, 1000, 0, floor=0.1)

    assert rate(0.0) == rate(0.5) == rate(0.699) == 1.0
    assert rate(0.85) == pytest.approx(0.1 + 0.9 * 0.5)
    assert rate(0.925) == pytest.approx(0.1 + 0.9 * 0.25)
    assert rate(1.0) == pytest.approx(0.1)


def test_cosine_is_half_way_in_the_middle_and_ends_at_its_floor():
    def rate(progress: float) -> float:
        return rate_multiplier("cosine", progress, 1000, 0, floor=0.2)

    assert rate(0.0) == pytest.approx(1.0)
    assert rate(0.5) == pytest.approx(0.6)
    assert rate(0.25) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert rate(1.0) == pytest.approx(0.2)


def test_progress_is_continuous_and_never_falls_over_changes_of_plan():
    pace = Pace(100)
    for at, total in ((20, 300), (50, 80), (70, 75)):
        before = pace.progress(at)
        pace.change(at, total)
        assert pace.progress(at) == before  # exactly: a replay must not see a different rate here
        progress = [pace.progress(step) for step in range(75)]
        steps = [b - a for a, b in itertools.pairwise(progress)]
        assert min(steps) >= 0
    assert pace.progress(75) == 1.0


def test_a_plan_changes_nothing_before_it():
    pace = Pace(100)
    before = [pace.progress(step) for step in range(41)]
    pace.change(40, 60)
    assert [pace.progress(step) for step in range(41)] == before
    assert [pace.total_steps(step) for step in (39, 40)] == [100, 60]


def test_replayed_plans_give_the_same_progress():
    live, plans = Pace(100), [(17, 140), (60, 90), (85, 88)]
    seen = []
    for step in range(88):  # the clock speaks up on the way …
        for at, total in plans:
            if at == step:
                live.change(at, total)
        seen.append(live.progress(step))
    replayed = Pace(1)
    for at, total in [(0, 100), *plans]:  # … and the journal knows it all at the start
        replayed.change(at, total)
    assert [replayed.progress(step) for step in range(88)] == seen


def test_a_plan_from_an_earlier_step_drops_later_ones():
    pace = Pace(100)
    pace.change(50, 60)
    pace.change(30, 200)
    assert pace.total_steps(55) == 200


def test_a_run_given_more_steps_goes_on_as_a_run_of_that_many_would():
    pace, longer = Pace(50), Pace(200)
    pace.extend(50, 200)
    assert [pace.progress(step) for step in range(50, 201)] == pytest.approx(
        [longer.progress(step) for step in range(50, 201)]
    )
    assert rate_multiplier("wsd", pace.progress(50), 50, 0) == 1.0
