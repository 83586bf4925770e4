"""Windows of the census: when clients are counted, and what the target is meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from horae.alignment.common import distance
from horae.types import Count, Doubles, News, Path


@dataclass(frozen=True)
class Window:
    """One population's census, the whole one's or a cohort's.

    number: windows that were opened, the first is 0. opened: rounds before its first; closed: rounds at that moment,
    -1 in an open window. seen: rounds of the population so far. groups: the latest total of every sticky group; fresh:
    the sum of what this window released. counted, refused: clients, and totals, of this window. target: g, None before
    the first window closes; since: rounds when it was made.
    """

    number: int = 0
    opened: int = 0
    closed: int = -1
    seen: int = 0
    groups: Mapping[int, Doubles] = field(default_factory=dict)
    fresh: Doubles | None = None
    counted: int = 0
    refused: int = 0
    target: Doubles | None = None
    since: int = 0

    @property
    def open(self) -> bool:
        """Are clients being counted?"""
        return self.closed < 0

    def next_round(self, every: int) -> Window:
        """A round later; `every` rounds after a window closed the next one opens."""
        later = replace(self, seen=self.seen + 1)
        if self.open or later.seen - self.closed < every:
            return later
        opens = replace(later, number=self.number + 1, opened=self.seen, closed=-1)
        return replace(opens, fresh=None, counted=0, refused=0)

    def plus(self, found: Count) -> Window:
        """With what a census released."""
        groups, fresh = dict(self.groups), self.fresh
        for number, row in zip(found.groups.tolist(), found.labels.astype(np.float64), strict=True):
            fresh = row if fresh is None else fresh + row
            if number >= 0:
                groups[number] = row
        counted = self.counted + int(found.clients.sum()) + found.dropped
        return replace(self, groups=groups, fresh=fresh, counted=counted, refused=self.refused + found.refused)

    def due(self, clients: int, rounds: int) -> bool:
        """Whether the window is full, or has lasted for so many rounds and heard of anybody."""
        known = self.fresh is not None and self.fresh.sum() > 0
        return self.open and known and (self.counted >= clients or self.seen - self.opened >= rounds)

    def shut(self, ema: float) -> Window:
        """The window closes: g ← (1 - ρ) g + ρ H / |H|, with ρ = `ema`, and g = H / |H| at first.

        H: the latest totals of all sticky groups, those that were not counted this time included; without groups what
        this window released.
        """
        total = np.sum(list(self.groups.values()), axis=0) if self.groups else self.fresh
        assert total is not None  # it was due
        total = np.maximum(total, 0.0)  # noise may have taken it below
        found: Doubles = total / total.sum()
        target = found if self.target is None else (1 - ema) * self.target + ema * found
        return replace(self, closed=self.seen, target=target / target.sum(), since=self.seen)


def told(path: Path, kind: Literal["closed", "stale", "refused"], before: Window, after: Window) -> News:
    """What the log hears of a window: never whom it counted."""
    moved = None if before.target is None or after.target is None else distance(before.target, after.target)
    return {
        "event": "census",
        "cohort": path,
        "what": kind,
        "window": after.number,
        "counted": after.counted,
        "refused": after.refused,
        "age": after.seen - after.since,
        "moved": moved,
        "target": None if after.target is None else [round(float(share), 6) for share in after.target],
    }
