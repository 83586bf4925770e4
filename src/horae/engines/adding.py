"""An aggregator's task, and what a worker of the executor makes of it: one sum of weighted updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.engines.parcels import opened
from horae.engines.remote import accumulate
from horae.engines.worker import attached
from horae.errors import one_line
from horae.types import Channel, Ref, Submodel

SUM = "sum"


@dataclass(frozen=True)
class Term:
    """An update, its weight, and which mask it was trained under; -1 for the whole model."""

    ref: Ref
    weight: float
    which: int = -1


@dataclass(frozen=True)
class Addition:
    """An aggregator's task: terms in the order of the clients, then other aggregators' sums. out: the sum's key.

    masks: where the masks lie, or None.
    """

    aggregator: str
    plane: str
    out: str
    terms: tuple[Term, ...]
    sums: tuple[Ref, ...]
    params: int
    channels: tuple[Channel, ...] = ()
    masks: Ref | None = None
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Partial:
    """What an aggregator answers: where its sum lies; or None, and why."""

    aggregator: str
    ref: Ref | None = None
    kind: str = ""
    why: str = ""


def run_addition(task: Any) -> Any:
    """What is sent to workers; it finds everything by importing, as `run_task`."""
    from horae.engines.adding import partial_sum

    return partial_sum(task)


def partial_sum(task: Addition) -> Partial:
    """Σ_i weights_i update_i over an aggregator's clients, in float32: one update in memory at a time."""
    try:
        plane, patience, total = attached(task.plane), min(60.0, task.timeout_s), np.zeros(task.params, np.float32)
        masks = {} if task.masks is None else plane.get(task.masks, timeout_s=patience)
        for term in task.terms:
            packed = masks.get(f"mask/{term.which}")
            submodel = None if packed is None else Submodel(np.unpackbits(packed, count=task.params).astype(bool))
            accumulate(total, term.weight, opened(task.channels, plane.get(term.ref, timeout_s=patience), submodel))
        for ref in task.sums:
            accumulate(total, 1.0, plane.get(ref, timeout_s=patience)[SUM])
        return Partial(task.aggregator, plane.put_as(task.out, {SUM: total}))
    except Exception as error:  # a value, as a client's failure is
        kind = str(getattr(error, "kind", "") or type(error).__name__)
        return Partial(task.aggregator, None, one_line(kind, 40), one_line(error or kind, 160))
