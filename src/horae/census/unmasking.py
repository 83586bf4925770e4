"""What the operator does at the end: put secrets together, take masks off, and check the sum."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from horae.census import shamir
from horae.census.keys import Pair, Words
from horae.census.noise import TAIL
from horae.census.table import Table
from horae.errors import HoraeError, WireError


class Unopened(HoraeError):
    """The masks could not be taken off, or the sum does not hold: the attempt is void."""


class Openings:
    """The shares of one attempt: of each survivor's b, of each dropped client's mask key."""

    def __init__(self, table: Table, survivors: frozenset[int], dropped: frozenset[int]) -> None:
        self._table, self._survivors = table, survivors
        self._shares: dict[int, dict[int, bytes]] = {client: {} for client in survivors | dropped}
        self._short = set(self._shares)

    def holders(self, client: int) -> list[int]:
        """Whose shares a member holds, in the order in which it opens them."""
        return [other for other in self._table.neighbours(client) if other in self._shares]

    def take(self, sender: int, shares: Sequence[bytes]) -> None:
        """A member's opening."""
        for client, share in zip(self.holders(sender), shares, strict=True):
            self._shares[client][self._table.neighbours(client).index(sender) + 1] = share
            if len(self._shares[client]) >= self._table.threshold(client):
                self._short.discard(client)

    @property
    def enough(self) -> bool:
        """Whether every secret that is needed can be put together."""
        return not self._short

    def secret(self, client: int) -> bytes:
        """Errors: Unopened."""
        try:
            return shamir.join(self._shares[client], self._table.threshold(client))
        except ValueError as error:
            raise Unopened(f"the secret of client {client}: {error}") from None

    def masks(self, width: int) -> Words:
        """Σ PRG(b_i) over the survivors + Σ ± PRG(s_ij) between survivors and dropped. Errors: Unopened."""
        total = np.zeros(width, np.uint64)
        for client in sorted(self._shares):
            secret = self.secret(client)
            if client in self._survivors:
                total += self._table.own_mask(secret, client)
            else:
                total += self._pairs(client, Pair(secret))
        return total

    def _pairs(self, dropped: int, pair: Pair) -> Words:
        if not hmac.compare_digest(pair.public, self._table.seat[dropped].mask):
            raise Unopened(f"the shares of client {dropped} make another key than it announced")
        total = np.zeros(self._table.terms.width, np.uint64)
        for other in self._table.neighbours(dropped):
            if other in self._survivors:
                try:
                    shared = pair.shared(self._table.seat[other].mask)
                except WireError as error:
                    raise Unopened(str(error)) from None
                total += self._table.pair_mask(shared, other, dropped)
        return total


def verified(table: Table, total: Words, members: int) -> NDArray[np.int64]:
    """The totals, where count, total and checksum fit them and they are within bounds. Errors: Unopened.

    A member that lies within its c_max is not found out.
    """
    terms = table.terms
    counts, (number, amount, check) = total[: terms.labels], total[terms.labels :].tolist()
    if number != members:
        raise Unopened(f"the sum counts {number if number < 2**31 else 'no number of'} members, not {members}")
    expected = table.vector(counts)[terms.labels :].tolist()
    if amount != expected[1] or check != expected[2]:
        raise Unopened("the sum does not fit its checksum")
    signed = counts.astype(np.int64)
    slack = TAIL * terms.share * sqrt(members) if terms.noise else 0.0
    if (signed < -slack).any() or (signed > members * terms.clip + slack).any():
        raise Unopened("totals out of bounds")
    return signed
