"""Who is counted together: sticky groups, whole or not at all, and comings and goings in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain, combinations, islice

from horae.census.auditor import Auditor
from horae.errors import require
from horae.pure.streams import stream

TRIES = 2000  # audits that one search for a batch may take


@dataclass(frozen=True)
class Groups:
    """Clients in groups that never change, and those that wait until there are enough of them for another.

    Rows of sticky groups are the same or disjoint, so that no history of them isolates anybody.
    """

    size: int
    seed: int = 0
    groups: tuple[frozenset[int], ...] = ()
    waiting: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        require(self.size >= 3, "census.group", "have at least 3 members", self.size)

    def joined(self, newcomers: Iterable[int]) -> Groups:
        """With newcomers, who wait until they make up a whole group; who goes with whom is drawn.

        >>> groups = Groups(3).joined(range(7))
        >>> len(groups.groups), len(groups.waiting)
        (2, 1)
        """
        known = frozenset(chain(*self.groups))
        queue = sorted((self.waiting | frozenset(newcomers)) - known)
        drawn = stream(self.seed, "census groups", len(self.groups)).permutation(len(queue))
        shuffled = [queue[i] for i in drawn]
        whole = len(queue) // self.size * self.size
        fresh = tuple(frozenset(shuffled[i : i + self.size]) for i in range(0, whole, self.size))
        return Groups(self.size, self.seed, self.groups + fresh, frozenset(shuffled[whole:]))

    def whole(self, online: Collection[int]) -> list[frozenset[int]]:
        """The groups that are online to the last member."""
        present = frozenset(online)
        return [group for group in self.groups if group <= present]


@dataclass(frozen=True)
class Batch:
    """Who may be counted now, and who must wait so that nobody is isolated."""

    now: frozenset[int]
    waiting: frozenset[int]


def least_delay(auditor: Auditor, present: Iterable[int], fresh: Iterable[int] = (), n_min: int = 10) -> Batch | None:
    """The smallest set of clients that must wait; those that were never counted (`fresh`) wait rather than others.

    None where up to three waiting clients, or 2,000 audits, are not enough: then the epoch waits.

    >>> least_delay(Auditor([range(10)]), range(11), fresh=[10])
    Batch(now=frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), waiting=frozenset({10}))
    """
    everybody, new = frozenset(present), frozenset(fresh)
    queue = [*sorted(everybody & new), *sorted(everybody - new)]
    sets = chain.from_iterable(combinations(queue, size) for size in range(4))
    for held in islice(sets, TRIES):
        now = everybody - frozenset(held)
        if len(now) >= n_min and not auditor.isolated(now):
            return Batch(now, frozenset(held))
    return None
