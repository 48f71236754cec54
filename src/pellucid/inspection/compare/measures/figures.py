"""Means over seeds, for the tables and curves of all measures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

Own = Sequence[dict[str, Any]]  # the figures of one contender, one of each seed


def mean(own: Own, name: str) -> float:
    """Of one figure, over seeds."""
    return statistics.fmean(each[name] for each in own)


def mean_curve(own: Own, name: str) -> list[float]:
    """Of a list of figures, place by place, over seeds; as long as the shortest."""
    return [statistics.fmean(values) for values in zip(*(each[name] for each in own), strict=False)]
