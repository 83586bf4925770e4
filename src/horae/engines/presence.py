"""Who is there and which cohort serves them: the same draws whatever the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from horae.engines.mailbox import Letter, Mailbox
from horae.engines.matching import Matching
from horae.engines.turns import Turns
from horae.pure.streams import stream
from horae.types import Bools, Charge, CohortTree, Doubles, Feedback, Ints, Path, Plan, State

BLOCK = 256  # clients looked at together


@dataclass
class Presence:
    """Draws from clients 0, 1, ..., total - 1. look: clients looked at per participant wanted, at most. idle: those of
    some clients who are there and not at work. mail: where messages wait for the next contact; None: clients read them
    at once. charges: what messages have cost and nobody has booked yet.

    Clients are looked at in random order, `BLOCK` at a time, until there are twice as many as wanted or look x wanted
    were looked at: what a round costs does not grow with the population.
    """

    plan: Plan
    matching: Matching
    total: int
    look: int
    turns: Turns
    idle: Callable[[Ints], Ints]
    mail: Mailbox | None = None
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
        """Clients read the message now, or when they are met again; its bytes are charged."""
        if feedback is None:
            return
        self.matching.store.make_room(feedback)
        if self.mail is None:
            self._read(feedback)
        else:
            self.mail.post(feedback)
        self.charge(Charge("affinity", nbytes_down=feedback.nbytes * feedback.clients.size))

    def sent(self, clients: Ints) -> None:
        """A train message goes to these clients, with what waits for them."""
        if self.mail is not None:
            self.mail.send(clients)

    def waiting(self, client: int) -> tuple[Letter, ...]:
        """What this client has not read."""
        return () if self.mail is None else self.mail.waiting(client)

    def heard(self, clients: Ints, *, apply: bool = True) -> None:
        """These clients have answered their train message: they have read what came with it. apply: work out here what
        they remember now; else they say it themselves.
        """
        for message in self.mail.read(clients) if self.mail is not None else ():
            if apply:
                self._read(message)

    def charge(self, charge: Charge) -> None:
        """Write it down, if it costs anything."""
        if charge.nbytes_up or charge.nbytes_down or charge.participations:
            self.charges.append(charge)

    def snapshot(self) -> State:
        """What waits for clients."""
        return None if self.mail is None else self.mail.snapshot()

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        if self.mail is not None and state is not None:
            self.mail.restore(state)

    def _read(self, feedback: Feedback) -> None:
        store = self.matching.store
        store.write(self.plan.clustering.react(store.records(feedback.clients), feedback))

    def _blocks(self, wanted: int, number: int, *path: int) -> Iterator[Ints]:
        """Idle clients in random order, a block at a time, each block in order of id."""
        total, most = self.total, self.look * wanted
        rng = stream(self.plan.seed, "check-in", number, *path)
        order = rng.permutation(total)[:most] if total <= 4096 else rng.choice(total, min(total, most), replace=False)
        for first in range(0, order.size, BLOCK):
            idle = self.idle(np.sort(order[first : first + BLOCK]))
            yield idle[self.turns.left(idle)]
