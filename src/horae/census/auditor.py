"""The release auditor: who took part is public, so totals of several epochs are linear equations about clients.

A client's histogram follows from released totals if and only if its unit vector e_i lies in the row space of the
participation rows. Each member audits for everybody: the one who was left out cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from horae.census.messages import write_rows

Row = frozenset[int]
Matrix = NDArray[np.int64]

# Ranks are exact unless a minor of 0s and 1s is a multiple of both, which up to 36 rows none can be: by Hadamard's
# bound minors of r rows are at most (r + 1)^((r + 1) / 2) / 2^r < 2^61. Beyond that it would take a coincidence.
PRIMES = (2**31 - 1, 2**31 - 19)


class Log:
    """The participation rows of all released epochs, oldest first, and the hash that chains them."""

    def __init__(self, rows: Iterable[Iterable[int]] = ()) -> None:
        self.rows: list[Row] = []
        self.head = bytes(32)
        for row in rows:
            self.append(frozenset(row))

    def append(self, row: Row) -> None:
        self.rows.append(row)
        self.head = hashlib.sha256(b"row" + self.head + write_rows([row])).digest()


class Auditor:
    """Whom a release would isolate, given the log and what this member helped to open besides.

    A member that opened its shares cannot know whether the totals came out, so what it opened counts as released.
    known: the rows that say more than those before them.
    """

    def __init__(self, rows: Iterable[Iterable[int]] = ()) -> None:
        self.log = Log()
        self.known: list[Row] = []
        self._space = RowSpace()
        self.follow(map(frozenset, rows))

    def follow(self, rows: Iterable[Row]) -> None:
        """Take note of rows that were released since."""
        for row in rows:
            self.log.append(row)
            self.opened(row)

    def opened(self, row: Row) -> None:
        """Take note of a row whose totals may be known."""
        before, self._space = self._space, extended(self._space, row)
        if self._space != before:
            self.known.append(row)

    def isolated(self, row: Row) -> frozenset[int]:
        """The clients whose histograms would be known if this row's totals were: empty if it may be released.

        >>> Auditor([{1, 2, 3}]).isolated(frozenset({1, 2}))
        frozenset({3})
        """
        return extended(self._space, row).units


class RowSpace:
    """The span of participation rows, modulo each prime. It never changes; the same rows have the same key."""

    def __init__(
        self, key: bytes = b"", columns: dict[int, int] | None = None, bases: tuple[Basis, ...] | None = None
    ) -> None:
        self._key, self.columns = key, columns or {}
        self.bases = bases or tuple(Basis(prime) for prime in PRIMES)

    def plus(self, row: Row) -> RowSpace:
        fresh = sorted(row - self.columns.keys())
        columns = self.columns | {client: len(self.columns) + i for i, client in enumerate(fresh)}
        vector = np.zeros(len(columns), np.int64)
        vector[[columns[client] for client in row]] = 1
        bases = tuple(basis.plus(vector) for basis in self.bases)
        if all(after is before for after, before in zip(bases, self.bases, strict=True)):
            return self
        return RowSpace(hashlib.sha256(self._key + write_rows([row])).digest(), columns, bases)

    @cached_property
    def units(self) -> frozenset[int]:
        """The clients whose unit vector is in the span."""
        units = set[int]().union(*(basis.units() for basis in self.bases))
        return frozenset(client for client, column in self.columns.items() if column in units)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowSpace) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=64)
def extended(space: RowSpace, row: Row) -> RowSpace:
    """The space with one more row; in one process, members with the same history work it out once."""
    return space.plus(row)


class Basis:
    """Rows in reduced echelon form modulo a prime: e_i is in their span if and only if it is one of them."""

    def __init__(self, prime: int, rows: Matrix | None = None, pivots: tuple[int, ...] = ()) -> None:
        self._prime, self._pivots = prime, pivots
        self._rows = np.zeros((0, 0), np.int64) if rows is None else rows

    def plus(self, vector: Matrix) -> Basis:
        """The basis with one more row, of as many columns or more."""
        p = self._prime
        rows = np.pad(self._rows, ((0, 0), (0, len(vector) - self._rows.shape[1])))
        used = vector[list(self._pivots)] if self._pivots else np.zeros(0, np.int64)
        rest = (vector - (used[:, None] * rows % p).sum(axis=0)) % p
        if not rest.any():
            return self
        pivot = int(np.flatnonzero(rest)[0])
        rest = rest * pow(int(rest[pivot]), -1, p) % p
        rows = (rows - rows[:, pivot, None] * rest) % p
        return Basis(p, np.vstack([rows, rest]), (*self._pivots, pivot))

    def units(self) -> set[int]:
        """The columns i whose e_i is in the span."""
        alone = np.count_nonzero(self._rows, axis=1) == 1
        return {pivot for pivot, unit in zip(self._pivots, alone, strict=True) if unit}
