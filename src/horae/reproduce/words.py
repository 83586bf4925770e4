"""A row in words, for the terminal and the page: the paper's number, ours with its spread, the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

from horae.pure import paired
from horae.report.comparison import fields
from horae.report.comparison.fields import FIELDS, Field
from horae.report.tables import NONE
from horae.reproduce.judging import NO, NOTHING, ONE, UNCLEAR, YES, Row

HEAD = ("claim", "paper", "horae", "same direction?")
_MORE = {
    "accuracy_late": replace(FIELDS["accuracy"], key="accuracy_late", title="mean accuracy, second half, %"),
    "bytes": replace(FIELDS["bytes_up"], key="bytes", title="bytes both ways"),
    "correlation": Field("correlation", "Pearson's correlation", 1, 3),
    "heterogeneity": Field("heterogeneity", "heterogeneity", -1, 2),
    "gap": Field("gap", "gap to chance", 1, 3),
}


def field_of(measure: str) -> Field:
    """How a measure is written."""
    if measure in FIELDS or measure in _MORE:
        return FIELDS.get(measure) or _MORE[measure]
    if measure.startswith("share."):
        return replace(FIELDS["sparsity"], key=measure, title=f"{measure}, %", better=0)
    if "nbytes" in measure or measure.endswith("bytes_up"):
        return replace(FIELDS["bytes_up"], key=measure, title=measure)
    if measure.endswith("flops"):
        return replace(FIELDS["flops"], key=measure, title=measure)
    return Field(measure, measure.replace("_", " "), 0, 3)


def cells(row: Row) -> tuple[str, str, str, str]:
    """Claim, paper, horae, verdict."""
    return row.words, row.paper, ours(row), verdict(row)


def verdict(row: Row) -> str:
    """The verdict with its remark."""
    return f"{row.verdict} ({row.remark})" if row.remark else row.verdict


def ours(row: Row) -> str:
    """The difference or quotient with its interval; beside it what was compared. Against a number: the arm's own."""
    if not row.n or row.mean is None:
        return row.remark or NONE
    same = "identical" if row.mean == row.low == row.high == (1.0 if row.ratio else 0.0) else None
    told = {"n": row.n, "of": row.of, "mean": row.mean, "low": row.low, "high": row.high, "verdict": same}
    if row.measure.startswith("speedup_"):
        return fields.speedup(told)
    field = field_of(row.measure)
    if _is_number(row.against):
        return f"{_spread(field, row.ours)} against {fields.one(field, float(row.against))}"
    both = f"{_spread(field, row.ours)} against {_spread(field, row.theirs)}"
    if row.ratio:
        return f"{fields.speedup(told)}: {both}"
    return f"{fields.difference(field, told)}: {both}"


def in_short(rows: Sequence[Row]) -> str:
    """The verdict of a whole table or figure.

    >>> in_short([])
    '–'
    """
    if not rows:
        return NONE
    kinds = [row.verdict for row in rows]
    if len(set(kinds)) == 1:
        return kinds[0] if len(kinds) == 1 else f"{kinds[0]}, all {len(kinds)}"
    counts = [(word, kinds.count(word)) for word in (YES, NO, UNCLEAR, ONE, NOTHING)]
    return ", ".join(f"{n} {word}" for word, n in counts if n)


def _is_number(words: str) -> bool:
    try:
        return math.isfinite(float(words))
    except ValueError:
        return False


def _spread(field: Field, values: Sequence[float | None]) -> str:
    found = paired.spread([value for value in values if value is not None])
    if found is None:
        return NONE
    if found.sd == 0 and found.n > 1:  # a number that was given, or the same on every seed
        return fields.spread(field, {**asdict(found), "sd": None})
    return fields.spread(field, asdict(found))
