"""The operator of a census: bytes in, bytes out. It relays what it cannot read, and learns one sum.

keys -> shares -> carry -> sign -> open -> released
a stage ends when everybody has answered, or at its deadline with those who have; too few: abort, and another
attempt with fresh keys
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from horae.census import messages as m
from horae.census.auditor import Log
from horae.census.chain import Chains, Order
from horae.census.keys import SIGNATURE, signed_by
from horae.census.messages import Kind, Message, Seat, Why
from horae.census.result import ABORTED, REFUSED, RELEASED, Result
from horae.census.session import SEALED, keys_hold
from horae.census.shamir import SIZE
from horae.census.table import Table
from horae.census.terms import Terms
from horae.census.unmasking import Openings, Unopened, verified
from horae.errors import HoraeError, WireError, require

Outgoing = list[tuple[int, bytes]]  # to which client, what

EXPECTED = {"keys": Kind.KEYS, "shares": Kind.SHARES, "carry": Kind.CARRY, "sign": Kind.SIGNED, "open": Kind.OPENING}


class Abort(HoraeError):
    """The attempt cannot go on."""


class Coordinator:
    """One epoch of a census. `log` is the run's and is added to on release; `directory` has registered identities.

    Epochs of a run are numbered once, whichever group they count, and those of one log follow one another.
    start, receive, gone and tick return what is to be sent. `deadline` says when to call tick next; `result` is there
    when the epoch is over.
    """

    def __init__(self, terms: Terms, run: bytes, directory: Mapping[int, bytes], epoch: int, log: Log) -> None:
        require(0 <= epoch < 2**32, "census.epoch", "be in [0, 2^32)", epoch)
        require(terms.fits(len(directory)), "census.clip", "be small enough for a sum below 2^63", terms.clip)
        self.terms, self.epoch, self.log = terms, epoch, log
        self.attempt, self.stage = 0, "idle"
        self.result: Result | None = None
        self.bytes_up = dict.fromkeys(directory, 0)
        self.bytes_down = dict.fromkeys(directory, 0)
        self._directory, self._context = directory, terms.context(run)
        self._gone: set[int] = set()
        self._refusals: list[tuple[int, str, str]] = []
        self._rejected: list[str] = []
        self._out: Outgoing = []

    @property
    def deadline(self) -> float:
        """When somebody will have taken too long."""
        return self._chains.deadline if self.stage == "carry" else self._deadline

    def start(self, now: float) -> Outgoing:
        """Invite everybody."""
        self._out = []
        self._attempt(now)
        return self._out

    def receive(self, sender: int, data: bytes, now: float) -> Outgoing:
        """A message from a client; what it should not say is passed over, and noted in `rejected`."""
        self._out = []
        try:
            if sender not in self._directory:
                raise WireError("nobody's message")
            self.bytes_up[sender] += len(data)
            self._hear(sender, m.read(data), now)
        except WireError as error:
            self._rejected.append(f"from {sender}: {error}")
        return self._out

    def gone(self, client: int, now: float) -> Outgoing:
        """The driver knows that a client will not come back in this epoch."""
        self._out = []
        self._gone.add(client)
        self._without({client}, now)
        return self._out

    def tick(self, now: float) -> Outgoing:
        """Go on without those who have taken too long."""
        self._out = []
        if self.result is None and now >= self.deadline:
            self._without(self._chains.late(now) if self.stage == "carry" else set(self._awaited), now)
        return self._out

    def _hear(self, sender: int, message: Message, now: float) -> None:
        place = (message.epoch, message.attempt)
        if self.result is not None or place != (self.epoch, self.attempt) or sender in self._away:
            raise WireError(f"{message.kind.name} of epoch {place[0]}, attempt {place[1]}: too late, or from elsewhere")
        if message.kind is Kind.REFUSE:
            self._refused(sender, *m.read_refusal(message.body), now)
            return
        if message.kind is not EXPECTED[self.stage]:
            raise WireError(f"{message.kind.name} out of turn (stage: {self.stage})")
        if self.stage == "carry":
            self._order(self._chains.carried(sender, message.body, self._away, now))
        else:
            if sender not in self._awaited:
                raise WireError(f"{message.kind.name} twice")
            getattr(self, f"_take_{self.stage}")(sender, message.body)
            self._awaited.discard(sender)
        self._go_on(now)

    def _refused(self, client: int, why: Why, words: str, now: float) -> None:
        self._refusals.append((client, why.name.lower(), words))
        if why is Why.AUDIT:
            self._end(REFUSED, words)
        else:
            self._without({client}, now)

    def _without(self, clients: Collection[int], now: float) -> None:
        """Go on without these clients, to the end of the attempt."""
        if self.result is not None or self.stage == "idle":
            return
        self._away.update(clients)
        self._awaited.difference_update(clients)
        if self.stage == "carry":
            self._order(self._chains.without(self._away, now))
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """On to the next stage, where this one is complete; to another attempt, where it cannot be."""
        done = not self._awaited or (self.stage == "open" and self._openings.enough)
        if not (self._chains.done if self.stage == "carry" else done):
            return
        try:
            getattr(self, f"_after_{self.stage}")(now)
        except (Abort, Unopened) as error:
            self._close(ABORTED)
            there = len(self._directory) - len(self._gone)
            if self.attempt + 1 < self.terms.attempts and there >= self.terms.n_min:
                self.attempt += 1
                self._attempt(now)
            else:
                self._end(ABORTED, str(error))

    def _attempt(self, now: float) -> None:
        self._away = set(self._gone)
        self._seats: dict[int, tuple[int, Seat]] = {}
        self._shares: dict[int, list[bytes]] = {}
        self._signed: dict[int, bytes] = {}
        self._survivors = self._dropped = frozenset[int]()
        self._stage("keys", set(self._directory) - self._away, now)
        for client in sorted(self._awaited):
            self._send(client, Kind.INVITE, self._context)

    def _stage(self, stage: str, awaited: Collection[int], now: float) -> None:
        self.stage, self._deadline = stage, now + self.terms.hop_s
        self._awaited = set(awaited) - self._away

    def _take_keys(self, sender: int, body: bytes) -> None:
        have, seat = m.read_keys(body, sender)
        if have > len(self.log.rows):
            raise WireError(f"a history of {have} epochs, where there were {len(self.log.rows)}")
        if not keys_hold(seat, self._directory[sender], self._context, self.epoch, self.attempt):
            raise WireError("keys that it did not sign")
        self._seats[sender] = (have, seat)

    def _after_keys(self, now: float) -> None:
        seats = [seat for client, (_, seat) in self._seats.items() if client not in self._away]
        self._at_least(len(seats), "members with keys")
        roster = m.Roster.of(seats)
        self._table = Table(self.terms, self._context, self.epoch, self.attempt, roster)
        self._stage("shares", self._table.clients, now)
        for client in self._table.clients:
            self._send(client, Kind.ROSTER, roster.body)

    def _take_shares(self, sender: int, body: bytes) -> None:
        self._shares[sender] = m.read_items(body, SEALED, len(self._table.neighbours(sender)))

    def _after_shares(self, now: float) -> None:
        self._at_least(len(self._shares), "members that dealt shares")
        for client in sorted(self._shares):
            self._send(client, Kind.INBOX, m.write_slots(self._table.inbox(client, self._shares)))
        self._stage("carry", (), now)
        nodes = [client for client in self._table.order if client in self._shares]
        count = len(nodes) if self.terms.transport == "star" else min(self.terms.segments, len(nodes))
        self._chains = Chains(nodes, count, self.terms.width, self.terms.hop_s)
        self._order(self._chains.begin(self._away, now))

    def _order(self, orders: list[Order]) -> None:
        for order in orders:
            self._send(*order)

    def _after_carry(self, now: float) -> None:
        self._survivors = self._chains.survivors
        self._dropped = frozenset(self._shares) - self._survivors
        self._at_least(len(self._survivors), "survivors")
        table, rows = self._table, self.log.rows
        self._digest = table.digest(self._survivors, self._dropped, self.log.head)
        flags = table.flags(self._survivors) + table.flags(self._dropped)
        self._stage("sign", self._survivors, now)
        for client in sorted(self._awaited):
            self._send(client, Kind.OUTCOME, flags + m.write_rows(rows[self._seats[client][0] :]))

    def _take_sign(self, sender: int, body: bytes) -> None:
        if len(body) != SIGNATURE or not signed_by(self._directory[sender], body, self._digest):
            raise WireError("not a signature of (U, D)")
        self._signed[sender] = body

    def _after_sign(self, now: float) -> None:
        self._openings = Openings(self._table, self._survivors, self._dropped)
        self._stage("open", self._signed, now)
        for client in sorted(self._awaited):
            witnesses = [self._signed.get(other) for other in self._table.neighbours(client)]
            self._send(client, Kind.WITNESSES, m.write_slots(witnesses))

    def _take_open(self, sender: int, body: bytes) -> None:
        self._openings.take(sender, m.read_items(body, SIZE, len(self._openings.holders(sender))))

    def _after_open(self, now: float) -> None:
        total = self._chains.total - self._openings.masks(self.terms.width)
        totals = verified(self._table, total, len(self._survivors))
        self.log.append(self._survivors)
        self._close(RELEASED)
        self._end(RELEASED, "", totals)

    def _at_least(self, members: int, what: str) -> None:
        if members < self.terms.n_min:
            raise Abort(f"{members} {what}, fewer than n_min = {self.terms.n_min}")

    def _close(self, status: str) -> None:
        for client in sorted(set(self._directory) - self._gone):
            self._send(client, Kind.CLOSE, bytes([status == RELEASED]))

    def _end(self, status: str, reason: str, totals: NDArray[np.int64] | None = None) -> None:
        if status == REFUSED:
            self._close(status)
        dealt, counted = set(self._shares), self._survivors if totals is not None else frozenset[int]()
        groups = (counted, dealt - counted, set(self._directory) - dealt)
        who = tuple(sorted(groups[0])), tuple(sorted(groups[1])), tuple(sorted(groups[2]))
        told, passed, up, down = tuple(self._refusals), tuple(self._rejected), self.bytes_up, self.bytes_down
        self.result = Result(self.epoch, status, reason, totals, *who, self.attempt + 1, told, passed, up, down)

    def _send(self, client: int, kind: Kind, body: bytes) -> None:
        data = m.write(kind, self.epoch, self.attempt, body)
        self.bytes_down[client] += len(data)
        self._out.append((client, data))
