"""What a member knows in one attempt and nobody else may: its keys, its own mask, its neighbours' shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from horae.census import shamir
from horae.census.keys import Identity, Pair, Source, Words, derive, seal, signed_by, unseal
from horae.census.messages import Roster, Seat, Why
from horae.census.table import Table
from horae.census.terms import Terms
from horae.errors import HoraeError, WireError

SEALED = 2 * shamir.SIZE + 16  # a sealed share of the mask key and of b


class Refused(HoraeError):
    """A member leaves the attempt, and says why."""

    def __init__(self, why: Why, words: str) -> None:
        super().__init__(words)
        self.why = why


def need(ok: bool, why: Why, words: str) -> None:
    if not ok:
        raise Refused(why, words)


class Session:
    """The secrets of one member in one attempt."""

    def __init__(
        self, client: int, identity: Identity, context: bytes, epoch: int, attempt: int, source: Source
    ) -> None:
        self._me, self._source = client, source
        self._context, self.epoch, self.attempt = context, epoch, attempt
        self._mask, self._channel, self._self = Pair(source(32)), Pair(source(32)), source(32)
        unsigned = Seat(client, self._mask.public, self._channel.public, b"")
        signature = identity.sign(unsigned.signed(context, epoch, attempt))
        self.seat = Seat(client, self._mask.public, self._channel.public, signature)
        self._shared: dict[int, bytes] = {}
        self._known: set[int] = {client}
        self._held: dict[int, tuple[bytes, bytes]] = {}
        self.table: Table

    def freeze(self) -> dict[str, Any]:
        """All that it knows, secrets included: for its own member's disk alone."""
        roster = self.table.seat.body if hasattr(self, "table") else b""
        secrets = self._mask.secret(), self._channel.secret(), self._self
        return {"place": (self.epoch, self.attempt), "secrets": secrets, "roster": roster, "held": self._held}

    @classmethod
    def thawed(
        cls, kept: Mapping[str, Any], client: int, identity: Identity, context: bytes, terms: Terms,
        directory: Mapping[int, bytes], source: Source,
    ) -> Session:  # fmt: skip
        """As it was frozen. Raises Refused where the directory has other identities now."""
        secrets, (epoch, attempt) = iter(kept["secrets"]), kept["place"]
        session = cls(client, identity, context, epoch, attempt, lambda _: next(secrets))
        session._source = source
        if kept["roster"]:
            session.sit(Roster(kept["roster"]), terms, directory)
        session._held = dict(kept["held"])
        return session

    def sit(self, roster: Roster, terms: Terms, directory: Mapping[int, bytes]) -> None:
        """Take a place at the table. Raises Refused for a roster that is too small, or holds keys nobody signed."""
        n = len(roster)
        need(n >= terms.n_min, Why.ROSTER, f"a roster of {n} members, fewer than n_min = {terms.n_min}")
        need(terms.fits(n), Why.ROSTER, f"the counts of {n} members could overflow")
        self._directory = directory
        self.table = Table(terms, self._context, self.epoch, self.attempt, roster)
        need(self.table.seat.get(self._me) == self.seat, Why.ROSTER, "the roster does not hold my keys")
        self.neighbours = self.table.neighbours(self._me)
        self.threshold = self.table.threshold(self._me)
        for other in self.neighbours:
            self._know(other)

    def deal(self) -> list[bytes]:
        """For each neighbour its shares of the mask key and of b, sealed."""
        d, t = len(self.neighbours), self.threshold
        keys = shamir.split(self._mask.secret(), d, t, self._source)
        selves = shamir.split(self._self, d, t, self._source)
        both = zip(self.neighbours, keys, selves, strict=True)
        return [self.seal_for(b"share", other, key + own) for other, key, own in both]

    def take(self, inbox: Sequence[bytes | None]) -> None:
        """Keep the neighbours' shares. Raises Refused where one cannot be read, or there are fewer than t."""
        for other, sealed in zip(self.neighbours, inbox, strict=True):
            if sealed is None:
                continue
            try:
                text = self.unseal_from(b"share", other, sealed)
                shamir.value_of(text[: shamir.SIZE]), shamir.value_of(text[shamir.SIZE :])
            except (WireError, ValueError):
                words = f"the shares of {other} cannot be read: changed on the way, or its roster is another"
                raise Refused(Why.SHARES, words) from None
            self._held[other] = (text[: shamir.SIZE], text[shamir.SIZE :])
        need(len(self._held) >= self.threshold, Why.SHARES, f"{len(self._held)} neighbours, {self.threshold} needed")

    @property
    def partners(self) -> frozenset[int]:
        """The neighbours that dealt shares: with them, and no others, this member masks."""
        return frozenset(self._held)

    def hide(self, counts: Words) -> Words:
        """y_i = V_i + PRG(b_i) + Σ_j ± PRG(s_ij), modulo 2^64."""
        hidden = self.table.vector(counts) + self.table.own_mask(self._self, self._me)
        for other in self.partners:
            shared = self._mask.shared(self.table.seat[other].mask)
            hidden += self.table.pair_mask(shared, self._me, other)
        return np.asarray(hidden, np.uint64)

    def seal_for(self, purpose: bytes, other: int, text: bytes) -> bytes:
        bound = self.table.between(purpose, self._me, other)
        return seal(derive(self._with(other), bound), text, bound)

    def unseal_from(self, purpose: bytes, other: int, sealed: bytes) -> bytes:
        bound = self.table.between(purpose, other, self._me)
        return unseal(derive(self._with(other), bound), sealed, bound)

    def opening(self, survivors: Collection[int]) -> list[bytes]:
        """A share of b for each partner that survived, of the mask key for each that did not; never both."""
        held = ((other, self._held[other]) for other in self.neighbours if other in self._held)
        return [own if other in survivors else key for other, (key, own) in held]

    def _know(self, other: int) -> None:
        """Check once that the keys of another member are its own."""
        if other in self._known:
            return
        seat = self.table.seat.get(other)
        if seat is None or other not in self._directory:
            raise Refused(Why.ROSTER, f"client {other} is not registered")
        text = seat.signed(self._context, self.epoch, self.attempt)
        need(signed_by(self._directory[other], seat.signature, text), Why.ROSTER, f"keys that {other} did not sign")
        self._known.add(other)

    def _with(self, other: int) -> bytes:
        if other not in self._shared:
            self._know(other)
            self._shared[other] = self._channel.shared(self.table.seat[other].channel)
        return self._shared[other]

    def __repr__(self) -> str:
        return f"Session({self._me}, epoch {self.epoch}, attempt {self.attempt})"


def keys_hold(seat: Seat, public: bytes, context: bytes, epoch: int, attempt: int) -> bool:
    """Whether a member's keys are signed by its identity, for this attempt."""
    return signed_by(public, seat.signature, seat.signed(context, epoch, attempt))
