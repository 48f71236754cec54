"""Whether one contender is better than another, or whether that is noise.

The rule: contenders are trained with the same seeds, so that a seed's order of the text is the same for both, and the
differences of their bits per byte, seed by seed, are tested against zero by Student's t test ("Student" 1908, "The
Probable Error of a Mean"; two-sided, 5 %, n − 1 degrees of freedom for n seeds). A difference is called "better" or
"worse" where the test rejects zero, else the two "cannot be told apart"; which is no proof that they are equal.

What it guards against is the noise of training: initial weights, order of the text, dropout. All contenders are scored
on one validation text, whole; another text is another question. Of twenty comparisons of equals one is called different
by chance. With three seeds a difference must be 4.3 times its standard error, with five 2.8 times.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

LEVEL = 0.05
BETTER, WORSE, NEITHER, DIVERGED = "better", "worse", "cannot be told apart", "diverged"


@dataclasses.dataclass(frozen=True)
class Difference:
    """The mean of a contender's scores minus its rival's; `error` is its standard error, None of a single pair."""

    mean: float
    error: float | None
    p: float | None
    verdict: str


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and its standard error; None where there is but one value."""
    mean = statistics.fmean(values)
    return mean, statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def difference(scores: Sequence[float], rivals: Sequence[float], exact: bool = False) -> Difference:
    """Compare scores with a rival's of the same seeds; lower is better.

    Args:
        exact: neither was trained: there is no noise to be told from.
    """
    differences = [score - rival for score, rival in zip(scores, rivals, strict=True)]
    mean, error = mean_and_error(differences)
    sign = BETTER if mean < 0 else WORSE
    if exact:
        return Difference(mean, 0.0, None, sign if mean else NEITHER)
    if error is None:
        return Difference(mean, None, None, NEITHER)
    p = p_value(mean, error, len(differences) - 1)
    return Difference(mean, error, p, sign if p < LEVEL else NEITHER)


def p_value(mean: float, error: float, freedom: int) -> float:
    """How often |t| is at least mean / error by chance."""
    if error == 0:
        return 0.0 if mean else 1.0
    return 1 - within(abs(mean / error), freedom)


def within(t: float, freedom: int) -> float:
    """The probability that Student's t lies between −t and t (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cos, sin = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    total, term = 0.0, cos if odd else 1.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cos * cos * k / (k + 1)
    return 2 / math.pi * (angle + sin * total) if odd else sin * total
