"""What rules that count all clients alike have in common."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from horae.types import Bools, Doubles, Floats, Updates

CELLS = 2**20  # numbers of a block: it stays in the processor's cache


def counted(weights: Doubles) -> Bools:
    """Whose update counts: those to whom the algorithm gives any weight."""
    return weights > 0


def blocks(updates: Updates, who: Bools) -> Iterator[Floats]:
    """The counted clients' updates, some coordinates after the other: `(width, counted)`, copies that may be sorted.

    At no time is more than a block copied, however long the updates are.
    """
    width, first = max(1, CELLS // max(1, int(who.sum()))), 0
    while (part := updates.columns(slice(first, first + width))).shape[1]:
        yield np.ascontiguousarray(part[who].T)
        first += width
