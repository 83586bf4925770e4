"""Which samples each client holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from horae.errors import DataError, one_line
from horae.types import Ints


class Rows(Protocol):
    """Which samples each client holds."""

    @property
    def most(self) -> int:
        """The most that any client holds."""

    def row(self, i: int) -> Ints:
        """Client i's."""

    def rows(self, clients: Ints) -> list[Ints]:
        """These clients'."""

    def sizes_of(self, clients: Ints) -> Ints:
        """How many these clients hold, `(q,)`."""

    def __len__(self) -> int:
        """Clients."""


class Lookup(Protocol):
    """A number for each client: an array, or what works it out when it is asked."""

    def __getitem__(self, clients: Any, /) -> Any:
        """Those of these clients, `(q,)`."""

    def __len__(self) -> int:
        """Clients."""


class Drift(Protocol):
    """How what clients hold changes while the clock runs."""

    def at(self, rows: list[Ints], clients: Ints, at_s: float) -> list[Ints]:
        """The rows of x that stand in for these clients' `rows` at that second; as many."""


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length in two arrays: row i is indices[offsets[i]:offsets[i + 1]].

    offsets `(n + 1,)`, indices `(total,)`.

    >>> Ragged.of([[4, 2], [], [7]]).row(0)
    array([4, 2])
    """

    offsets: Ints
    indices: Ints

    def __post_init__(self) -> None:
        ends = (self.offsets[0], self.offsets[-1]) if self.offsets.size else None
        whole = ends == (0, self.indices.size) and bool((np.diff(self.offsets) >= 0).all())
        demand(whole, "offsets", f"rise from 0 to {self.indices.size}", ends, "use Ragged.of")

    @classmethod
    def of(cls, rows: Iterable[ArrayLike]) -> Ragged:
        """From a list of integer arrays."""
        arrays = [np.asarray(row, np.int64) for row in rows]
        offsets = np.cumsum([0, *(row.size for row in arrays)], dtype=np.int64)
        return cls(offsets, np.concatenate([np.empty(0, np.int64), *arrays]))

    def row(self, i: int) -> Ints:
        """Row i, a view."""
        return self.indices[self.offsets[i] : self.offsets[i + 1]]

    def rows(self, some: Ints) -> list[Ints]:
        """Some rows, views."""
        return [self.row(i) for i in some.tolist()]

    def sizes_of(self, rows: Ints) -> Ints:
        """The length of some rows, `(q,)`."""
        return self.offsets[rows + 1] - self.offsets[rows]

    @property
    def most(self) -> int:
        """The longest row's length."""
        return int(self.sizes.max(initial=0))

    @property
    def sizes(self) -> Ints:
        """The length of each row, `(n,)`."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Ints:
        """For each entry of `indices`, the row that it belongs to: `(total,)`."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def __len__(self) -> int:
        return self.offsets.size - 1


def demand(ok: bool, field: str, should: str, got: object, remedy: str = "") -> None:
    """Refuse data in one line that names the field, what it should be, what it is, and what to do: raises DataError."""
    if not ok:
        raise DataError(f"population {field} should {should}, got {one_line(got)}" + (f"; {remedy}" if remedy else ""))
