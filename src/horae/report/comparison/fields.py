"""What is compared, and how its numbers are written: mean ± deviation in one unit, differences with their sign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from horae.report.tables import NONE

Table = Mapping[str, Any]
Units = tuple[tuple[float, float, str], ...]  # (from this size on, divide by this, and call it this)

_PLAIN: Units = ((0, 1, ""),)
_PERCENT: Units = ((0, 0.01, ""),)
_TIMES: Units = ((7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
_POWERS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTES: Units = (*((size, size, f"{prefix}B") for size, prefix in _POWERS), (0, 1, "B"))
_FLOPS: Units = (*((size, size, f"{prefix}FLOP") for size, prefix in _POWERS), (0, 1, "FLOP"))


@dataclass(frozen=True)
class Field:
    """A number of the summary. better: 1 if higher is better, -1 if lower is, 0 if it only describes."""

    key: str
    title: str
    better: int
    digits: int = 1
    units: Units = _PLAIN


FIELDS = {
    field.key: field
    for field in (
        Field("accuracy", "mean accuracy, %", 1, 1, _PERCENT),
        Field("accuracy_worst10", "worst tenth, %", 1, 1, _PERCENT),
        Field("accuracy_best10", "best tenth, %", 1, 1, _PERCENT),
        Field("accuracy_variance", "variance over clients", -1, 4),
        Field("cohorts", "cohorts", 0),
        Field("adjusted_rand_index", "adjusted Rand index", 1, 2),
        Field("time_to_accuracy_s", "time to target", -1, 1, _TIMES),
        Field("participations_to_accuracy", "participations to target", -1, 0),
        Field("bytes_to_accuracy", "bytes to target", -1, 1, _BYTES),
        Field("simulated_s", "simulated time", -1, 1, _TIMES),
        Field("participations", "participations", 0, 0),
        Field("bytes_up", "sent by clients", -1, 1, _BYTES),
        Field("bytes_down", "sent to clients", -1, 1, _BYTES),
        Field("flops", "work on clients", -1, 1, _FLOPS),
        Field("sparsity", "weights that went, %", 0, 1, _PERCENT),
        Field("extra_compute", "extra compute, %", -1, 1, _PERCENT),
        Field("extra_flops", "extra work", -1, 1, _FLOPS),
        Field("downloads", "models down", -1, 2),
        Field("uploads", "models up", -1, 2),
        Field("extra_participations", "extra participations", -1, 0),
        Field("train_wall_s", "real time of training", 0, 1, _TIMES),
    )
}


def spread(field: Field, found: Table | None) -> str:
    """Mean ± standard deviation; the mean alone for one seed.

    >>> spread(FIELDS["accuracy"], {"n": 3, "mean": 0.946, "sd": 0.0123}), spread(FIELDS["accuracy"], None)
    ('94.6 ± 1.2', '–')
    >>> spread(FIELDS["simulated_s"], {"n": 1, "mean": 376200.0, "sd": None})
    '104.5 h'
    """
    if not found:
        return NONE
    step, unit = _unit(field, found["mean"])
    words = _number(found["mean"] / step, field.digits)
    if found["sd"] is not None:
        words += f" ± {_number(found['sd'] / step, field.digits)}"
    return f"{words} {unit}".strip()


def difference(field: Field, found: Table | None) -> str:
    """The difference to the reference with its interval, if there is one; percentages differ by points.

    >>> difference(FIELDS["accuracy"], {"n": 3, "mean": 0.175, "low": -0.004, "high": 0.354, "verdict": "better"})
    '+17.5 [−0.4, +35.4]'
    """
    if not found:
        return NONE
    step, unit = _unit(field, found["mean"])
    mean, *ends = (
        None if found[k] is None else _signed(found[k] / step, field.digits) for k in ("mean", "low", "high")
    )
    if None in ends:
        return f"{mean} {unit}".strip()
    if ends[0] == ends[1]:  # an interval of no width is no certainty: say what was seen
        return f"{mean} {unit}".strip() + ("" if found["verdict"] == "identical" else " on every seed")
    return f"{mean} [{', '.join(map(str, ends))}] {unit}".strip()


def verdict(found: Table | None) -> str:
    """The verdict in words: one seed is no ground for one."""
    if not found:
        return NONE
    if found["n"] < 2:
        return "one seed"
    return found["verdict"] or NONE


def speedup(found: Table | None) -> str:
    """How many times faster than the reference, with its interval, if there is one.

    >>> speedup({"n": 3, "of": 3, "mean": 1.824, "low": 1.2, "high": 2.77, "verdict": "better"})
    '1.82× [1.20, 2.77]'
    >>> speedup({"n": 1, "of": 1, "mean": 0.5, "low": None, "high": None, "verdict": "not distinguishable"})
    '0.50×'
    """
    if not found or found["mean"] is None:
        return NONE
    mean, low, high = (None if found[k] is None else _times(found[k]) for k in ("mean", "low", "high"))
    if low is None or high is None or low == high:
        return f"{mean}×"
    return f"{mean}× [{low}, {high}]"


def speedup_verdict(found: Table | None) -> str:
    """The verdict in words, or on how many seeds both arms reached the target."""
    if not found:
        return NONE
    if found["n"] < found["of"]:
        return f"{found['n']} of {found['of']} seeds"
    return verdict(found)


def one(field: Field, value: float | None) -> str:
    """A single value.

    >>> one(FIELDS["bytes_up"], 31_200_000), one(FIELDS["time_to_accuracy_s"], None)
    ('31.2 MB', '–')
    """
    return spread(field, None if value is None else {"mean": value, "sd": None})


def _unit(field: Field, size: float) -> tuple[float, str]:
    return next((step, unit) for least, step, unit in field.units if abs(size) >= least)


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "−") if math.isfinite(value) else NONE


def _times(value: float) -> str:
    """A ratio to three digits or two decimals; one so far from 1 that it says nothing in powers of ten.

    >>> _times(0.014), _times(12.345), _times(1e9)
    ('0.01', '12.35', '1e+09')
    """
    return f"{value:.2f}" if 0.01 <= value < 10_000 else f"{value:.0e}"


def _signed(value: float, digits: int) -> str:
    """With a sign, unless it rounds to nothing."""
    size = _number(abs(value), digits)
    if not size.strip("0.,"):
        return size
    return ("+" if value > 0 else "−") + size
