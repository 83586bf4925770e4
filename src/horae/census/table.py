"""One attempt's roster, as every party derives it: nonce, ring, neighbours, the keys of masks, the checksum."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from horae.census.graph import connected, neighbours, ring
from horae.census.keys import Words, derive, words
from horae.census.messages import Roster, write_flags
from horae.census.terms import Terms


@dataclass(frozen=True)
class Table:
    """Who sits at the table, in one attempt of one epoch of one run (`context`)."""

    terms: Terms
    context: bytes
    epoch: int
    attempt: int
    seat: Roster

    @property
    def clients(self) -> tuple[int, ...]:
        return self.seat.clients

    @cached_property
    def bound(self) -> bytes:
        """What every message of the attempt is bound to: run, epoch, attempt, nonce = SHA256(signed keys)."""
        number = self.context + struct.pack("<IH", self.epoch, self.attempt)
        return number + hashlib.sha256(b"roster" + number + self.seat.body).digest()

    @cached_property
    def order(self) -> tuple[int, ...]:
        return ring(self.bound[-32:], self.clients)

    @cached_property
    def _place(self) -> dict[int, int]:
        return {client: place for place, client in enumerate(self.order)}

    @cached_property
    def _near(self) -> dict[int, tuple[int, ...]]:
        return {}

    def neighbours(self, client: int) -> tuple[int, ...]:
        """Whom a client masks with, in ring order. The x of its share that its m-th neighbour holds is m, from 1."""
        if client not in self._near:
            self._near[client] = neighbours(self.order, self._place[client], self.terms.degree)
        return self._near[client]

    def inbox(self, client: int, dealt: Mapping[int, Sequence[bytes]]) -> list[bytes | None]:
        """What its neighbours dealt to a client, in the order of its neighbours."""
        near = self.neighbours(client)
        return [dealt[o][self.neighbours(o).index(client)] if o in dealt else None for o in near]

    def threshold(self, client: int) -> int:
        return self.terms.shares_needed(len(self.neighbours(client)))

    def connected(self, survivors: Collection[int]) -> bool:
        return connected(self.order, self.terms.degree, survivors)

    def between(self, purpose: bytes, sender: int, receiver: int) -> bytes:
        """Info and associated data of what one client seals for another."""
        return purpose + self.bound + struct.pack("<II", sender, receiver)

    def pair_mask(self, shared: bytes, client: int, other: int) -> Words:
        """± PRG(s_ij) as the client adds it: + where its number is the smaller."""
        low, high = sorted((client, other))
        mask = words(derive(shared, self.between(b"mask", low, high)), self.terms.width)
        return mask if client == low else np.negative(mask)

    def own_mask(self, secret: bytes, client: int) -> Words:
        """PRG(b_i)."""
        return words(derive(secret, self.between(b"self", client, client)), self.terms.width)

    @cached_property
    def checker(self) -> Words:
        """ρ: public random words for the checksum."""
        return words(derive(self.bound, b"check"), self.terms.labels)

    def vector(self, counts: Words) -> Words:
        """V: the counts, 1, their sum and ⟨ρ, h⟩, all modulo 2^64."""
        check = np.multiply(self.checker, counts).sum(dtype=np.uint64)
        tail = np.array([1, counts.sum(dtype=np.uint64), check], np.uint64)
        return np.concatenate([counts, tail])

    def flags(self, clients: Collection[int]) -> bytes:
        return write_flags(client in clients for client in self.clients)

    def chosen(self, flags: Iterable[bool]) -> frozenset[int]:
        return frozenset(client for client, flag in zip(self.clients, flags, strict=True) if flag)

    def digest(self, survivors: Collection[int], dropped: Collection[int], head: bytes) -> bytes:
        """What members sign before they open anything: (U, D), and the history they audited it against."""
        return hashlib.sha256(b"outcome" + self.bound + self.flags(survivors) + self.flags(dropped) + head).digest()
