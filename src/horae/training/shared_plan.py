"""A round's plan in memory that the workers share.

A pipe holds 64 KiB: whoever sends more waits, in the middle, for the reader, and then for a processor, which on a small
machine the first worker has taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from horae.training.arena import Arena, opened
from horae.training.plan import Batches
from horae.types import Floats

SMALL = 2**14  # numbers of a plan that goes through a pipe


@dataclass(frozen=True)
class SharedPlan:
    """A plan `(clients, steps, batch)`, or some clients of it, and where it lies: index, counts, weight.

    room: the memory, in the process that has laid it down, and as long as somebody there holds this.
    """

    name: tuple[str, int]
    shape: tuple[int, int, int]
    clients: slice
    room: Floats | None = field(default=None, repr=False)

    def part(self, clients: slice) -> SharedPlan:
        """The plan of some clients of all, as it is sent."""
        return replace(self, clients=clients, room=None)

    def opened(self) -> Batches:
        """In another process: the plan."""
        return _columns(opened(self.name, 1, _floats(self.shape))[0], self.shape).part(self.clients)


def shared_plan(plan: Batches, arena: Arena) -> Batches | SharedPlan:
    """The plan in memory that others find; as it is where it is small, or nothing can be shared."""
    shape = plan.index.shape
    if not arena.shared or _floats(shape) < SMALL:
        return plan
    room, name = arena.take(1, _floats(shape))
    if name is None:
        return plan
    there = _columns(room[0], shape)
    there.index[:], there.weight[:], there.counts[:] = plan.index, plan.weight, plan.counts
    return SharedPlan(name, shape, slice(0, shape[0]), room)


def _floats(shape: tuple[int, ...]) -> int:
    """The room it takes: two for an index and a count, one for a weight."""
    return 3 * prod(shape) + 2 * prod(shape[:2])


def _columns(room: Floats, shape: tuple[int, int, int]) -> Batches:
    cells, steps = prod(shape), prod(shape[:2])
    index, counts, weight = np.split(room, [2 * cells, 2 * (cells + steps)])
    return Batches(index.view(np.int64).reshape(shape), weight.reshape(shape), counts.view(np.int64).reshape(shape[:2]))
