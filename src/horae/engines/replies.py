"""What the clients of a round sent, and who of them holds which weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.types import Doubles, Floats, Held, Ints, Submodel, Updates


@dataclass(frozen=True)
class Replies:
    """What some clients of one round sent, by row: those who took the same model."""

    clients: Ints
    updates: Updates
    buffers: Floats
    losses: Doubles
    steps: Ints
    claims: Doubles
    exploring: np.ndarray[Any, Any]
    durations_s: Doubles
    staleness: Ints
    sizes: Ints
    extra: Floats | None
    seen: Floats | None = None
    held: Held | None = None


def joined(parts: Sequence[Held | None], sizes: Sequence[int]) -> Held | None:
    """Who holds what, for groups of clients that stand one after the other; None where all have every weight."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    if len(parts) == 1 or (len({id(part) for part in known}) == 1 and known[0].which is None):
        return known[0]
    whole = Submodel(np.ones(known[0].submodels[0].keep.size, bool))
    filled = [part or Held((whole,)) for part in parts]
    firsts = np.cumsum([0, *(len(part.submodels) for part in filled)])
    which = [first + part.of(n) for first, part, n in zip(firsts, filled, sizes, strict=False)]
    return Held(tuple(s for part in filled for s in part.submodels), np.concatenate(which))
