"""What a handful of repetitions say: mean and spread, and how far two arms are apart on the same seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BETTER, WORSE, UNCLEAR, IDENTICAL = "better", "worse", "not distinguishable", "identical"
_LARGEST = math.log(1e300)
_HALVINGS = 80  # of a quarter turn: far below what a float can tell apart


@dataclass(frozen=True)
class Spread:
    """n values in short. sd: their standard deviation, None for a single one."""

    n: int
    mean: float
    sd: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """How far one arm lies above another, over n seeds that both have.

    low, high: the confidence interval of the mean, None for a single seed. identical: not one seed differs.
    """

    n: int
    mean: float
    low: float | None
    high: float | None
    identical: bool


@dataclass(frozen=True)
class Ratio:
    """How many times as large one arm's numbers are as another's, over n of the `of` seeds that both were run on.

    mean: geometric; None if no seed has a ratio. low, high: its confidence interval, None for a single seed. identical:
    not one seed differs.
    """

    n: int
    of: int
    mean: float | None
    low: float | None
    high: float | None
    identical: bool


def spread(values: Sequence[float]) -> Spread | None:
    """Mean m = Σ x / n, standard deviation √(Σ (x - m)² / (n - 1)), lowest and highest; None without values.

    >>> spread([1.0, 2.0, 6.0])
    Spread(n=3, mean=3.0, sd=2.6457513110645907, low=1.0, high=6.0)
    """
    if not values:
        return None
    mean = _mean(values)
    return Spread(len(values), mean, _deviation(values, mean), min(values), max(values))


def difference(ours: Sequence[float], theirs: Sequence[float], level: float = 0.95) -> Difference | None:
    """The mean of d = ours - theirs, seed by seed, and its confidence interval; None without seeds.

    With m and s the mean and the standard deviation of the n differences, the interval is m ± t s / √n, where t is
    the value that |T| stays below with probability `level`, T being Student's with n - 1 degrees of freedom. It holds
    where the differences are drawn from a normal distribution; for a handful of seeds that is an assumption.

    >>> found = difference([5.0, 7.0], [4.0, 4.0])
    >>> found.n, found.mean, round(found.low, 3), round(found.high, 3)
    (2, 2.0, -10.706, 14.706)
    """
    steps = [mine - other for mine, other in zip(ours, theirs, strict=True)]
    if not steps:
        return None
    mean, identical = _mean(steps), not any(steps)
    deviation = _deviation(steps, mean)
    if deviation is None:
        return Difference(1, mean, None, None, identical)
    half = student_bound(level, len(steps) - 1) * deviation / math.sqrt(len(steps))
    return Difference(len(steps), mean, mean - half, mean + half, identical)


def ratio(ours: Sequence[float | None], theirs: Sequence[float | None], level: float = 0.95) -> Ratio:
    """The geometric mean of r = ours / theirs, seed by seed, and its confidence interval.

    With d = ln ours - ln theirs and its mean m and interval [a, b] as in `difference`, they are e^m and [e^a, e^b]. A
    seed on which either is None (never reached) or not positive has no ratio: n counts those that have one, `of` all.

    >>> found = ratio([2.0, 8.0, None], [1.0, 1.0, 1.0])
    >>> found.n, found.of, round(found.mean, 6)
    (2, 3, 4.0)
    """
    pairs = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if mine and other and min(mine, other) > 0]
    found = difference([math.log(mine) for mine, _ in pairs], [math.log(other) for _, other in pairs], level)
    if found is None:
        return Ratio(0, len(ours), None, None, None, False)
    mean, low, high = (None if end is None else _exp(end) for end in (found.mean, found.low, found.high))
    return Ratio(found.n, len(ours), mean, low, high, found.identical)


def ratio_verdict(found: Ratio) -> str | None:
    """The ratio in a word, more being better; None where seeds are missing: the others say too little.

    >>> ratio_verdict(Ratio(3, 3, 1.5, 1.2, 1.9, False)), ratio_verdict(Ratio(2, 3, 1.5, 1.2, 1.9, False))
    ('better', None)
    """
    if found.n < found.of or found.mean is None:
        return None
    if found.low is None or found.high is None:
        return UNCLEAR
    if found.identical:
        return IDENTICAL
    if found.low <= 1 <= found.high:
        return UNCLEAR
    return BETTER if found.mean > 1 else WORSE


def verdict(found: Difference | None, higher_is_better: bool) -> str:
    """The difference in a word. Not distinguishable: zero is in the interval, or there is no interval.

    >>> verdict(Difference(5, 0.2, 0.1, 0.3, False), True), verdict(Difference(1, 0.2, None, None, False), True)
    ('better', 'not distinguishable')
    """
    if found is None or found.low is None or found.high is None:
        return UNCLEAR
    if found.identical:
        return IDENTICAL
    if found.low <= 0 <= found.high:
        return UNCLEAR
    return BETTER if (found.mean > 0) == higher_is_better else WORSE


def student_bound(level: float, freedom: int) -> float:
    """The t for which P(|T| < t) = level, T being Student's with `freedom` degrees of freedom.

    Source: Abramowitz and Stegun, 26.7.3 and 26.7.4: with θ = atan(t / √ν), the probability is a finite sum,
    for even ν sin θ (1 + 1/2 cos² θ + (1·3)/(2·4) cos⁴ θ + ... up to cos^(ν-2)), for odd ν
    2/π (θ + sin θ (cos θ + 2/3 cos³ θ + (2·4)/(3·5) cos⁵ θ + ... up to cos^(ν-2))). It grows with θ: halve the range.

    >>> round(student_bound(0.95, 1), 3), round(student_bound(0.95, 4), 3)
    (12.706, 2.776)
    """
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|T| < √ν tan θ)."""
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * math.cos(angle) ** 2
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def _exp(value: float) -> float | None:
    """e^x; None where no float holds it."""
    return math.exp(value) if value < _LARGEST else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float], mean: float) -> float | None:
    if len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
