"""Does a row hold? The paper's direction against the paired difference, or quotient, over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from horae.errors import require
from horae.pure import paired
from horae.reproduce.claims import Check, Side
from horae.reproduce.measures import SPEEDUPS, Measured

YES, NO, UNCLEAR, ONE, NOTHING = "yes", "no", "not distinguishable", "one seed", "nothing measured"
Values = list[float | None]


@dataclass(frozen=True)
class Row:
    """A check with its numbers. ours, theirs: of arm and against, seed by seed. n: seeds that have both, of `of`.

    mean, low, high: of the paired difference or quotient, with its 95 % interval. remark: what the numbers do not say.
    """

    words: str
    arm: str
    against: str
    measure: str
    direction: str
    paper: str
    within: float
    ratio: bool
    ours: Values
    theirs: Values
    n: int
    of: int
    mean: float | None
    low: float | None
    high: float | None
    verdict: str
    remark: str = ""


def judge(check: Check, size: str, against: str, measured: Measured) -> Row:
    """The row of a check. against: the arm that the size compares with. Errors: ConfigError."""
    one = check.arm[size]
    given = check.against[size]
    other: Side = (against,) if given is None else given
    if check.measure in SPEEDUPS:
        mine, his = measured.needed(_only(one, check, measured), _only(other, check, measured), check.measure)
    else:
        mine, his = (side_values(side, check.measure, measured) for side in (one, other))
    n, mean, low, high, identical = _compared(check, mine, his)
    word, remark = verdict(check, mine, his, (n, low, high, identical))
    return Row(
        check.words, _said(one), _said(other), check.measure, check.direction, check.paper, check.within, check.ratio,
        mine, his, n, len(mine), mean, low, high, word, remark,
    )  # fmt: skip


def side_values(side: Side, measure: str, measured: Measured) -> Values:
    """A number for every seed: an arm's, one arm's less another's, or always the same."""
    if isinstance(side, float):
        return [side for _ in measured.seeds]
    arms = [measured.arm(name) for name in side]
    rows = [[measured.value(arm, seed, measure) for arm in arms] for seed in measured.seeds]
    return [None if None in row else _less([value for value in row if value is not None]) for row in rows]


def verdict(
    check: Check, ours: Values, theirs: Values, found: tuple[int, float | None, float | None, bool]
) -> tuple[str, str]:
    """In a word, and what there is to say beside it."""
    n, low, high, identical = found
    if check.measure in SPEEDUPS and n < len(ours):
        never = [mine is None and other is not None for mine, other in zip(ours, theirs, strict=True)]
        if all(never):
            word = {"higher": NO, "lower": YES, "same": NO}[check.direction]
            return word, "never reached it"
        return (UNCLEAR if n else NOTHING), f"reached on {n} of {len(ours)} seeds" if n else ""
    if not n:
        return NOTHING, ""
    remark = "" if n == len(ours) else f"{n} of {len(ours)} seeds"
    if low is None or high is None:
        return ONE, remark
    centre = 1.0 if check.ratio else 0.0
    if identical and check.direction != "same":
        return NO, "identical on every seed"
    return by_interval(check.direction, low - centre, high - centre, check.within), remark


def by_interval(direction: str, low: float, high: float, within: float) -> str:
    """Where an interval around "no difference" at 0 lies.

    >>> by_interval("higher", 0.1, 0.3, 0), by_interval("higher", -0.1, 0.3, 0), by_interval("lower", 0.1, 0.3, 0)
    ('yes', 'not distinguishable', 'no')
    >>> by_interval("same", -0.01, 0.02, 0.05), by_interval("same", 0.1, 0.2, 0.05), by_interval("same", 0, 0.1, 0.05)
    ('yes', 'no', 'not distinguishable')
    """
    if direction == "same":
        if -within <= low and high <= within:
            return YES
        return NO if low > within or high < -within else UNCLEAR
    if direction == "lower":
        low, high = -high, -low
    return YES if low > 0 else NO if high < 0 else UNCLEAR


def _compared(check: Check, ours: Values, theirs: Values) -> tuple[int, float | None, float | None, float | None, bool]:
    """n, mean, interval, and whether not one seed differs."""
    if check.ratio:
        pair = (theirs, ours) if check.measure in SPEEDUPS else (ours, theirs)  # needing less is being faster
        found = paired.ratio(*pair)
        return found.n, found.mean, found.low, found.high, found.identical
    both = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    apart = paired.difference([a for a, _ in both], [b for _, b in both])
    if apart is None:
        return 0, None, None, None, False
    return apart.n, apart.mean, apart.low, apart.high, apart.identical


def _only(side: Side, check: Check, measured: Measured) -> str:
    """The arm of a side that has to be one. Errors: ConfigError."""
    one = side[0] if isinstance(side, tuple) and len(side) == 1 else None
    title = f"check {check.words!r}: {check.measure}"
    require(one is not None, title, "be of one arm against one other", side)
    return measured.arm(str(one))


def _less(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else math.fsum((values[0], -values[1]))


def _said(side: Side) -> str:
    return f"{side:g}" if isinstance(side, float) else " less ".join(side)
