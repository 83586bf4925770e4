"""A member of a census: bytes in, bytes out, and its counts stay where they are.

INVITE     -> KEYS       fresh keys, signed
ROSTER     -> SHARES     who else is there; shares of my secrets for my neighbours
INBOX      -> nothing    my neighbours' shares
TURN       -> CARRY      the sum so far; with my masked vector, to the next (RESEAL: the same to another)
OUTCOME    -> SIGNED     who survived, audited
WITNESSES  -> OPENING    my neighbours signed the same; one share for each of them
CLOSE      -> nothing
anything it will not go along with -> REFUSE
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from horae.census import messages as m
from horae.census.auditor import Auditor
from horae.census.keys import SIGNATURE, TAG, Identity, Source, Words, signed_by
from horae.census.messages import NOBODY, OPERATOR, Kind, Message, Why
from horae.census.noise import rounded_gaussian, scaled
from horae.census.session import SEALED, Refused, Session, need
from horae.census.terms import Terms
from horae.errors import WireError, require

# What a member can be told at each stage; CLOSE and INVITE always.
HEARD = {
    "idle": (),
    "invited": (Kind.ROSTER,),
    "dealt": (Kind.INBOX,),
    "ready": (Kind.TURN,),
    "carried": (Kind.RESEAL, Kind.OUTCOME),
    "signed": (Kind.WITNESSES,),
    "opened": (),
}
_OWN = ("_sum", "_survivors", "_digest")  # of an attempt, beside its session


class Member:
    """One client's half of the protocol. Every message it sends goes to the operator.

    `directory` has everybody's registered identity. `refusals` are the attempts that it left, `rejected` the messages
    that it passed over, in words.
    """

    def __init__(
        self,
        client: int,
        identity: Identity,
        terms: Terms,
        run: bytes,
        directory: Mapping[int, bytes],
        counts: ArrayLike,
        auditor: Auditor | None = None,
        source: Source = os.urandom,
    ) -> None:
        require(0 <= client < m.CLIENTS, "client", f"be a number in [0, {m.CLIENTS})", client)
        self.client, self.terms, self.auditor = client, terms, auditor or Auditor()
        self.refusals: list[tuple[Why, str]] = []
        self.rejected: list[str] = []
        self.stage = "idle"
        self._identity, self._directory, self._source = identity, directory, source
        self._context = terms.context(run)
        self._latest = (-1, -1)
        self._session: Session
        self._does: dict[Kind, Callable[[bytes], list[bytes]]] = {
            Kind.ROSTER: self._roster,
            Kind.INBOX: self._inbox,
            Kind.TURN: self._turn,
            Kind.RESEAL: self._reseal,
            Kind.OUTCOME: self._outcome,
            Kind.WITNESSES: self._witnesses,
        }
        self.recount(counts)

    def recount(self, counts: ArrayLike) -> None:
        """Hold other counts from the next turn on: whole numbers, none negative; more than c_max is c_max."""
        given = np.asarray(counts)
        require(given.shape == (self.terms.labels,), "census.counts", f"be {self.terms.labels} numbers", given.shape)
        whole = np.issubdtype(given.dtype, np.integer) and not (given < 0).any()
        require(whole, "census.counts", "be whole numbers from 0", given.dtype.name, "round feature sums first")
        held = np.minimum(given.astype(np.uint64), np.uint64(self.terms.clip))
        self._counts = scaled(held, self.terms.most) if self.terms.noise else held

    def freeze(self) -> dict[str, Any]:
        """Where it stands, as plain values: with an attempt's secrets while there is one, never with its counts."""
        kept: dict[str, Any] = {"latest": self._latest, "stage": self.stage}
        if self.stage not in ("idle", "opened"):
            own = {name: self.__dict__[name] for name in _OWN if name in self.__dict__}
            kept |= {"session": self._session.freeze(), **own}
        return kept

    def thaw(self, kept: Mapping[str, Any]) -> None:
        """Go on from there. Raises Refused where the directory has other identities now."""
        self._latest, self.stage = kept["latest"], kept["stage"]
        if "session" in kept:
            known = self.client, self._identity, self._context, self.terms, self._directory, self._source
            self._session = Session.thawed(kept["session"], *known)
            self.__dict__.update({name: kept[name] for name in _OWN if name in kept})

    def receive(self, data: bytes) -> list[bytes]:
        """What to send to the operator in reply; never raises on what came over the wire."""
        try:
            message = m.read(data)
            if message.kind is Kind.INVITE:
                return self._invite(message)
            self._expect(message)
            if message.kind is Kind.CLOSE:
                return self._close(message.body)
            return self._does[message.kind](message.body)
        except WireError as error:
            self.rejected.append(str(error))
            return []
        except Refused as refused:
            self._leave()
            self.refusals.append((refused.why, str(refused)))
            return [m.write(Kind.REFUSE, *self._latest, m.write_refusal(refused.why, str(refused)))]

    def _expect(self, message: Message) -> None:
        if (message.epoch, message.attempt) != self._latest:
            raise WireError(f"{message.kind.name} of epoch {message.epoch}, attempt {message.attempt}: not this one")
        if message.kind is not Kind.CLOSE and message.kind not in HEARD[self.stage]:
            raise WireError(f"{message.kind.name} out of turn or twice (stage: {self.stage})")

    def _close(self, body: bytes) -> list[bytes]:
        if body not in (b"\x00", b"\x01"):
            raise WireError("an end that is none")
        self._leave()
        return []

    def _leave(self) -> None:
        """Forget the attempt's secrets."""
        self.stage = "idle"
        self.__dict__.pop("_session", None)
        self.__dict__.pop("_sum", None)

    def _write(self, kind: Kind, body: bytes) -> list[bytes]:
        return [m.write(kind, *self._latest, body)]

    def _invite(self, message: Message) -> list[bytes]:
        if (message.epoch, message.attempt) <= self._latest:
            raise WireError(f"INVITE to epoch {message.epoch}, attempt {message.attempt}: not a new one")
        self._leave()
        self._latest = (message.epoch, message.attempt)
        need(message.body == self._context, Why.TERMS, "the operator's terms are not mine; give both the same")
        self._session = Session(
            self.client, self._identity, self._context, message.epoch, message.attempt, self._source
        )
        self.stage = "invited"
        return self._write(Kind.KEYS, m.write_keys(len(self.auditor.log.rows), self._session.seat))

    def _roster(self, body: bytes) -> list[bytes]:
        self._session.sit(m.Roster(body), self.terms, self._directory)
        self.stage = "dealt"
        return self._write(Kind.SHARES, m.write_items(self._session.deal()))

    def _inbox(self, body: bytes) -> list[bytes]:
        self._session.take(m.read_slots(body, SEALED, len(self._session.neighbours)))
        self.stage = "ready"
        return []

    def _turn(self, body: bytes) -> list[bytes]:
        before, after, sealed = m.read_turn(body)
        held = self._session.hide(self._noised())
        if before != NOBODY:
            held = held + self._carried(before, sealed)
        elif sealed:
            raise WireError("a sum from nobody")
        self._sum = held
        self.stage = "carried"
        return self._carry(after)

    def _carried(self, before: int, sealed: bytes) -> Words:
        try:
            if len(sealed) != 8 * self.terms.width + TAG:
                raise WireError("a sum of another length")
            return m.read_words(self._session.unseal_from(b"chain", before, sealed), self.terms.width)
        except WireError as error:
            raise Refused(Why.CHAIN, f"the sum of client {before}: {error}") from None

    def _carry(self, after: int) -> list[bytes]:
        plain = m.write_words(self._sum)
        need(after != self.client, Why.CHAIN, "a sum to carry to myself")
        text = plain if after == OPERATOR else self._session.seal_for(b"chain", after, plain)
        return self._write(Kind.CARRY, m.write_place(after, text))

    def _reseal(self, body: bytes) -> list[bytes]:
        after, rest = m.read_place(body)
        if rest:
            raise WireError("an address that is too long")
        return self._carry(after)

    def _noised(self) -> Words:
        if not self.terms.noise:
            return self._counts
        return self._counts + rounded_gaussian(self.terms.share, self.terms.labels, self._source(32)).astype(np.uint64)

    def _outcome(self, body: bytes) -> list[bytes]:
        table, size = self._session.table, (len(self._session.table.clients) + 7) // 8
        survivors, dropped = (
            table.chosen(m.read_flags(part, len(table.clients))) for part in (body[:size], body[size : 2 * size])
        )
        rows = m.read_rows(body[2 * size :])
        self._agree(survivors, dropped)
        self.auditor.follow(rows)
        told = self.auditor.isolated(survivors)
        words = f"totals of these {len(survivors)} members, with those before, would tell {len(told)} of all apart"
        need(not told, Why.AUDIT, words)
        self._survivors = survivors
        self._digest = table.digest(survivors, dropped, self.auditor.log.head)
        self.stage = "signed"
        return self._write(Kind.SIGNED, self._identity.sign(self._digest))

    def _agree(self, survivors: frozenset[int], dropped: frozenset[int]) -> None:
        """Refuse a (U, D) that is not what this member saw, or that lays bare a part."""
        session, least = self._session, self.terms.n_min
        need(not survivors & dropped, Why.OUTCOME, "clients that are both in U and in D")
        need(self.client in survivors, Why.OUTCOME, "I carried the sum and am not in U")
        need(len(survivors) >= least, Why.OUTCOME, f"{len(survivors)} survivors, fewer than n_min = {least}")
        seen = (survivors | dropped) & frozenset(session.neighbours)
        need(seen == session.partners, Why.OUTCOME, "U and D are not the neighbours that dealt me shares")
        need(session.table.connected(survivors), Why.OUTCOME, "the survivors' masks fall into parts")

    def _witnesses(self, body: bytes) -> list[bytes]:
        session, good = self._session, 0
        signatures = m.read_slots(body, SIGNATURE, len(session.neighbours))
        for other, signature in zip(session.neighbours, signatures, strict=True):
            if signature is None or other not in self._survivors or good == session.threshold:
                continue
            same = signed_by(self._directory[other], signature, self._digest)
            need(same, Why.WITNESSES, f"client {other} signed another (U, D) or another history")
            good += 1
        need(good >= session.threshold, Why.WITNESSES, f"{good} neighbours signed, {session.threshold} needed")
        self.auditor.opened(self._survivors)
        self.stage = "opened"
        return self._write(Kind.OPENING, m.write_items(session.opening(self._survivors)))

    def __repr__(self) -> str:
        return f"Member({self.client}, {self.stage})"
