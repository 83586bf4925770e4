"""A chain, or one segment of it: whose turn it is, and what happens when somebody falls out. A star is n chains of one.

Whoever has passed the sum on keeps it until the attempt closes, so that it can be sealed again for the next in line.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from horae.census import messages as m
from horae.census.keys import TAG, Words
from horae.census.messages import NOBODY, OPERATOR, Kind
from horae.errors import WireError

Order = tuple[int, Kind, bytes]  # to whom, what, body


@dataclass
class Waiting:
    """Whom the segment waits for, and whom the sum should go to next."""

    holder: int
    after: int


class Segment:
    """The operator's view of one chain: it relays what it cannot read."""

    def __init__(self, nodes: Sequence[int], width: int) -> None:
        self._queue, self._width = list(nodes), width
        self._path: list[int] = []  # whose vectors are in the sum, in order
        self.waiting: Waiting | None = None
        self.lost: set[int] = set()
        self.total: Words | None = None
        self.deadline = 0.0

    @property
    def survivors(self) -> list[int]:
        return self._path

    def begin(self, gone: Collection[int]) -> list[Order]:
        """Ask the first that is there; with nobody there the total is zero."""
        first = self._next(gone)
        if first == OPERATOR:
            self.waiting, self.total = None, np.zeros(self._width, np.uint64)
            return []
        return self._ask(first, NOBODY, b"", gone)

    def carried(self, sender: int, body: bytes, gone: Collection[int]) -> list[Order]:
        """The holder passed the sum on. Errors: WireError where it was not its turn."""
        after, text = m.read_place(body)
        if self.waiting is None or (sender, after) != (self.waiting.holder, self.waiting.after):
            raise WireError(f"a sum from {sender} out of turn, twice, or to the wrong place")
        if after == OPERATOR:
            self.total = m.read_words(text, self._width)
            self.waiting = None
            self._path.append(sender)
            return []
        if len(text) != 8 * self._width + TAG:
            raise WireError("a sealed sum of another length")
        self._path.append(sender)
        if after in gone:
            return self._again(after, gone)
        return self._ask(after, sender, text, gone)

    def failed(self, gone: Collection[int]) -> list[Order]:
        """The holder is gone: the last before it that is there seals its sum for the next that is there."""
        return self._again(self.waiting.holder, gone) if self.waiting else []

    def _again(self, lost: int, gone: Collection[int]) -> list[Order]:
        self.lost.add(lost)
        while self._path and self._path[-1] in gone:
            self.lost.add(self._path.pop())
        if not self._path:
            return self.begin(gone)
        holder = self._path.pop()
        self.waiting = Waiting(holder, self._next(gone))
        return [(holder, Kind.RESEAL, m.write_place(self.waiting.after))]

    def _ask(self, node: int, before: int, sealed: bytes, gone: Collection[int]) -> list[Order]:
        self._queue = self._queue[self._queue.index(node) + 1 :]
        self.waiting = Waiting(node, self._next(gone))
        return [(node, Kind.TURN, m.write_turn(before, self.waiting.after, sealed))]

    def _next(self, gone: Collection[int]) -> int:
        return next((node for node in self._queue if node not in gone and node not in self.lost), OPERATOR)


class Chains:
    """All segments of an attempt, side by side; each has a time limit of its own."""

    def __init__(self, nodes: Sequence[int], count: int, width: int, hop_s: float) -> None:
        cuts = [len(nodes) * i // count for i in range(count + 1)]
        self._parts = [Segment(nodes[a:b], width) for a, b in pairwise(cuts)]
        self._where = {
            node: part for part, (a, b) in zip(self._parts, pairwise(cuts), strict=True) for node in nodes[a:b]
        }
        self._hop_s = hop_s

    def begin(self, gone: Collection[int], now: float) -> list[Order]:
        return [order for part in self._parts for order in self._timed(part, part.begin(gone), now)]

    def carried(self, sender: int, body: bytes, gone: Collection[int], now: float) -> list[Order]:
        if sender not in self._where:
            raise WireError("a sum from somebody outside the chain")
        part = self._where[sender]
        return self._timed(part, part.carried(sender, body, gone), now)

    def without(self, gone: Collection[int], now: float) -> list[Order]:
        """Go on where the holder is gone."""
        stuck = [part for part in self._parts if part.waiting and part.waiting.holder in gone]
        return [order for part in stuck for order in self._timed(part, part.failed(gone), now)]

    def late(self, now: float) -> set[int]:
        return {part.waiting.holder for part in self._parts if part.waiting and part.deadline <= now}

    @property
    def deadline(self) -> float:
        return min((part.deadline for part in self._parts if part.waiting), default=0.0)

    @property
    def done(self) -> bool:
        return not any(part.waiting for part in self._parts)

    @property
    def survivors(self) -> frozenset[int]:
        return frozenset(node for part in self._parts for node in part.survivors)

    @property
    def total(self) -> Words:
        """The masked sum of all segments."""
        parts = [part.total for part in self._parts if part.total is not None]
        return np.asarray(np.sum(parts, axis=0, dtype=np.uint64))

    def _timed(self, part: Segment, orders: list[Order], now: float) -> list[Order]:
        part.deadline = now + self._hop_s
        return orders
