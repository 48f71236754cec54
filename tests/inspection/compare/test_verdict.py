"""When a difference is called one: by hand-computed values, and by how often equals are told apart."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from pellucid.inspection.compare.verdict import BETTER, NEITHER, WORSE, difference, mean_and_error, within


@pytest.mark.parametrize(
    ("freedom", "t"),  # beyond which a twentieth lies, from any table of Student's distribution
    [
        (1, 12.706),
        (2, 4.3027),
        (3, 3.1824),
        (4, 2.7764),
        (5, 2.5706),
        (9, 2.2622),
        (10, 2.2281),
        (30, 2.0423),
    ],
)
def test_students_distribution_is_the_tables(freedom: int, t: float):
    assert within(t, freedom) == pytest.approx(0.95, abs=2e-5)
    assert within(0.0, freedom) == 0.0
    assert within(1e6, freedom) == pytest.approx(1.0, abs=1e-5)


def test_one_degree_of_freedom_is_cauchys_and_many_are_the_normal_distribution():
    assert within(1.0, 1) == pytest.approx(0.5)
    assert within(1.0, 400) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-3)


def test_a_difference_by_hand():
    """Differences 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, error 0.1/√3; t = 3.46 with 2 degrees: p = 0.0742."""
    found = difference([1.1, 2.2, 3.3], [1.0, 2.0, 3.0])
    assert found.mean == pytest.approx(0.2) and found.error == pytest.approx(0.1 / math.sqrt(3))
    # t / √(2 + t²), ν = 2
    assert found.p == pytest.approx(1 - 2 * math.sqrt(3) / math.sqrt(2 + 12), abs=1e-9)
    assert found.verdict == NEITHER
    assert difference([1.2, 2.2, 3.21], [1.0, 2.0, 3.0]).verdict == WORSE
    assert difference([1.0, 2.0, 3.0], [1.2, 2.2, 3.21]).verdict == BETTER


def test_seeds_that_move_both_alike_do_not_hide_a_difference():
    rivals = [2.0, 3.0, 5.0]
    assert difference([each - 0.01 - 0.0001 * each for each in rivals], rivals).verdict == BETTER


def test_one_seed_tells_nothing_and_counts_tell_all():
    alone = difference([1.0], [2.0])
    assert (alone.error, alone.p, alone.verdict) == (None, None, NEITHER)
    assert difference([1.0], [2.0], exact=True).verdict == BETTER
    assert difference([2.0], [2.0], exact=True).verdict == NEITHER
    assert difference([2.0, 3.0], [2.0, 3.0]).verdict == NEITHER


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equals_are_told_apart_in_one_of_twenty(seeds: int):
    draw, trials = random.Random(seeds), 8000
    normal = draw.gauss
    calls = [
        difference([normal(2, 0.1) for _ in range(seeds)], [normal(2, 0.1) for _ in range(seeds)]).verdict
        for _ in range(trials)
    ]
    share = statistics.fmean(call != NEITHER for call in calls)
    assert share == pytest.approx(0.05, abs=0.0075)  # three standard errors of a share of 8,000
    assert calls.count(BETTER) == pytest.approx(calls.count(WORSE), abs=4 * math.sqrt(0.05 * trials))


def test_a_large_difference_is_found():
    draw = random.Random(0)
    found = [
        difference([draw.gauss(1, 0.1) for _ in range(3)], [draw.gauss(2, 0.1) for _ in range(3)]).verdict
        for _ in range(500)
    ]
    assert found.count(BETTER) > 480 and WORSE not in found


def test_the_standard_error_is_that_of_the_mean():
    assert mean_and_error([1.0, 2.0, 3.0]) == (2.0, pytest.approx(1 / math.sqrt(3)))
    assert mean_and_error([4.0]) == (4.0, None)
