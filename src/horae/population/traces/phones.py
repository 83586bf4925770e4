"""What a trace's phones can do, and how benchmark scores become milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from horae.population.traces.wrong import Wrong
from horae.types import Capacity, Doubles, Ints

MEDIAN_MS, MEDIAN_KBPS = 153.0, 2209.0  # the sample entry of FedScale's device file


@dataclass(frozen=True, eq=False)
class Phones:
    """Speed and bandwidth of a trace's devices, `(phones,)` each: ms per sample and pass, kbit/s."""

    names: tuple[str, ...]
    ms_per_sample: Doubles
    kbps: Doubles

    @classmethod
    def of(cls, names: Sequence[str], ms_per_sample: Doubles, kbps: Doubles) -> Phones:
        """Phones from columns. Errors: Wrong, which names the client."""
        if not len(names):
            raise Wrong("the trace should have a device at least, and has none")
        for what, column in (("ms_per_sample", ms_per_sample), ("kbps", kbps)):
            odd = np.flatnonzero(~((column >= 1e-6) & (column <= 1e9)))
            if odd.size:
                raise Wrong(f"{what} should lie in [1e-6, 1e9], but client {names[odd[0]]} has {column[odd[0]]:g}")
        return cls(tuple(names), np.asarray(ms_per_sample, np.float64), np.asarray(kbps, np.float64))

    @property
    def clients(self) -> int:
        """How many devices the trace has."""
        return self.kbps.size

    def capacity(self, rows: Ints) -> Capacity:
        """Speed and bandwidth of these rows."""
        return Capacity(self.ms_per_sample[rows], self.kbps[rows])


def ms_of(scores: Doubles) -> Doubles:
    """Milliseconds per sample of phones with these benchmark scores, higher scores being faster.

        ms_i = 153 ms · median(score) / score_i

    Source: 153 ms is the sample entry of FedScale's device file. Reading: a score is a speed; nobody says in which
    unit, so the median phone of the trace is taken to be FedScale's.

    >>> ms_of(np.array([1000.0, 2000.0, 8000.0]))
    array([306.  , 153.  ,  38.25])
    """
    if scores.size == 0 or not ((scores > 0) & (scores < 1e12)).all():
        raise Wrong("benchmark scores should be positive numbers below 1e12")
    return MEDIAN_MS * np.median(scores) / scores


def one_way(down: Doubles, up: Doubles) -> Doubles:
    """The one speed at which a model comes and goes in the same time: 2 / (1 / down + 1 / up).

    >>> one_way(np.array([3000.0]), np.array([1000.0]))
    array([1500.])
    """
    return np.asarray(2 / (1 / down + 1 / up), np.float64)
