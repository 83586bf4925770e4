"""Who is there and which cohort serves them, where everybody is there who is not at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from horae.engines.matching import Matching
from horae.engines.turns import Turns
from horae.pure.streams import stream
from horae.types import Bools, Charge, CohortTree, Doubles, Feedback, Ints, Path, Plan

BLOCK = 256  # clients looked at together


@dataclass
class Presence:
    """Draws from clients 0, 1, ..., total - 1, in the order in which the simulation draws. look: clients looked at per
    participant wanted, at most. busy: who is at work. charges: what messages have cost and nobody has booked yet.
    """

    plan: Plan
    matching: Matching
    total: int
    look: int
    turns: Turns
    busy: Callable[[], set[int]]
    charges: list[Charge] = field(default_factory=list)

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int, now_s: float) -> tuple[
        Ints, Doubles, Bools
    ]:  # fmt: skip
        """Idle clients whose request leads here, in order of id, with claims and who of them explores."""
        found: list[tuple[Ints, Doubles, Bools]] = [(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))]
        for idle in self._blocks(wanted, number, *path):
            wishes, here = self.matching.served(tree, idle, path, now_s)
            self.charge(Charge("affinity", nbytes_up=int(wishes.nbytes.sum())))
            found.append((idle[here], wishes.claims[here], wishes.exploring[here]))
            if sum(clients.size for clients, _, _ in found) >= 2 * wanted:
                break
        clients, claims, exploring = (np.concatenate(column) for column in zip(*found, strict=True))
        rows = np.argsort(clients)
        return clients[rows], claims[rows], exploring[rows]

    def some(self, wanted: int, number: int) -> Ints:
        """At most so many idle clients, drawn at random, in order of id."""
        found = np.zeros(0, np.int64)
        for idle in self._blocks(wanted, number):
            found = np.concatenate([found, idle])
            if found.size >= 2 * wanted:
                break
        chosen = stream(self.plan.seed, "gather", number).permutation(found.size)[:wanted]
        return np.sort(found[chosen])

    def route(self, tree: CohortTree, clients: Ints, now_s: float) -> Ints:
        """The leaf that serves each, as an index."""
        wishes, leaf = self.matching.asked(tree, clients, now_s)
        self.charge(Charge("affinity", nbytes_up=int(wishes.nbytes.sum())))
        return leaf

    def tell(self, feedback: Feedback | None) -> None:
        """Clients read the message at their next check-in; its bytes are charged."""
        if feedback is None:
            return
        store = self.matching.store
        store.make_room(feedback)
        store.write(self.plan.clustering.react(store.records(feedback.clients), feedback))
        self.charge(Charge("affinity", nbytes_down=feedback.nbytes * feedback.clients.size))

    def charge(self, charge: Charge) -> None:
        """Write it down, if it costs anything."""
        if charge.nbytes_up or charge.nbytes_down:
            self.charges.append(charge)

    def _blocks(self, wanted: int, number: int, *path: int) -> Iterator[Ints]:
        """Idle clients in random order, a block at a time, each block in order of id."""
        total, most, busy = self.total, self.look * wanted, self.busy()
        rng = stream(self.plan.seed, "check-in", number, *path)
        order = rng.permutation(total)[:most] if total <= 4096 else rng.choice(total, min(total, most), replace=False)
        for first in range(0, order.size, BLOCK):
            seen = np.sort(order[first : first + BLOCK])
            idle = seen[[c not in busy for c in seen.tolist()]] if busy else seen
            yield idle[self.turns.left(idle)]
