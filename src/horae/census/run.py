"""A census in one process: all machines, a virtual clock, and dropouts as scripted."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from horae.census.auditor import Auditor, Log
from horae.census.client import Member
from horae.census.keys import Identity, Source, seeded
from horae.census.messages import OPERATOR, Kind, read
from horae.census.result import Result
from horae.census.server import Coordinator
from horae.census.terms import Terms

Watch = Callable[[int, int, bytes], bytes | None]  # sender, receiver, message -> what arrives, if anything


class World:
    """Members that stay from epoch to epoch, their operator's log, and a virtual clock in seconds.

    With a seed everything repeats, keys included: for simulations, never for clients in the field.
    """

    def __init__(self, terms: Terms, run: bytes = b"local", seed: int | None = None) -> None:
        self.terms, self.run, self.log, self.now, self.epoch = terms, run, Log(), 0.0, 0
        self.members: dict[int, Member] = {}
        self.operator: Coordinator | None = None  # of the latest epoch
        self._seed = seed
        self._directory: dict[int, bytes] = {}

    def hold(self, counts: Mapping[int, ArrayLike]) -> None:
        """Give clients their counts; those not known yet are registered, and know the log so far."""
        for client, held in counts.items():
            if client in self.members:
                self.members[client].recount(held)
                continue
            source = self._source(client)
            identity = Identity(source if self._seed is None else seeded(self._name(client)))
            self._directory[client] = identity.public
            auditor = Auditor(self.log.rows)
            self.members[client] = Member(
                client, identity, self.terms, self.run, self._directory, held, auditor, source
            )

    def count(
        self,
        clients: list[int] | None = None,
        drops: Mapping[int, Kind] | None = None,
        watch: Watch | None = None,
    ) -> Result:
        """One epoch among these clients (everybody by default).

        A client in `drops` dies when it hears a message of that kind, before it acts on it. `watch` sees every
        message, and returns what is to arrive in its place: the same, other bytes, or None.
        """
        began, self.epoch = time.perf_counter(), self.epoch + 1
        invited = {client: self._directory[client] for client in clients or self.members}
        operator = self.operator = Coordinator(self.terms, self.run, invited, self.epoch, self.log)
        queue = deque((OPERATOR, *out) for out in operator.start(self.now))
        dead, dies = set[int](), dict(drops or {})
        while operator.result is None or queue:
            if not queue:
                self.now = max(self.now, operator.deadline)
                queue.extend((OPERATOR, *out) for out in operator.tick(self.now))
                continue
            sender, receiver, data = queue.popleft()
            arrived = data if watch is None else watch(sender, receiver, data)
            if arrived is None or receiver in dead:
                continue
            if receiver == OPERATOR:
                queue.extend((OPERATOR, *out) for out in operator.receive(sender, arrived, self.now))
            elif dies.get(receiver) is read(data).kind:
                dead.add(receiver)
            else:
                queue.extend((receiver, OPERATOR, reply) for reply in self.members[receiver].receive(arrived))
        return operator.result.took(time.perf_counter() - began)

    def _source(self, client: int) -> Source:
        """What a client draws from: with a seed, every epoch has a beginning of its own, whatever came before it."""
        if self._seed is None:
            return os.urandom
        drawn: dict[int, Source] = {}

        def source(n: int) -> bytes:
            if self.epoch not in drawn:
                drawn.clear()
                drawn[self.epoch] = seeded(self._name(client) + self.epoch.to_bytes(4, "little"))
            return drawn[self.epoch](n)

        return source

    def _name(self, client: int) -> bytes:
        return b"census" + (self._seed or 0).to_bytes(8, "little", signed=True) + client.to_bytes(4, "little")


def local(
    counts: Mapping[int, ArrayLike],
    terms: Terms | None = None,
    *,
    seed: int | None = None,
    drops: Mapping[int, Kind] | None = None,
    watch: Watch | None = None,
) -> Result:
    """One census among these clients, in this process.

    >>> local({client: [client, 1] for client in range(12)}).totals
    array([66, 12])
    """
    terms = terms or Terms(labels=len(np.atleast_1d(next(iter(counts.values())))))
    world = World(terms, seed=seed)
    world.hold(counts)
    return world.count(drops=drops, watch=watch)
