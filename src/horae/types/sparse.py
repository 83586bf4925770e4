"""Updates that are zero almost everywhere: what clients changed of a table of which each met a few rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from horae.types.values import Bools, Doubles, Floats, Ints, Updates, signs


class Quick(Protocol):
    """Sums by somebody who is quicker at them; they change `total (params,)` and `folded (q, dims)`, zeros before."""

    def add(self, updates: SparseUpdates, shares: Floats, total: Floats) -> None:
        """Σ_i shares_i update_i."""

    def fold(self, updates: SparseUpdates, flip: Floats, folded: Floats) -> None:
        """Coordinate i of each update, times flip_i, into i mod dims."""


class SparseUpdates(Updates):
    """The same questions as `Updates`, answered from the rows that a client changed.

    A model is a head `(h,)`, then a table `(table_rows, width)`. heads `(q, h)`; names `(q, most)` int32 and values
    `(q, most, width)`: which rows of the table client i changed, each once, and by how much; the first counts[i] count.
    Sums run in client order, or in that of each half of the clients: the same for any number of workers, and up to
    rounding those of the dense updates.
    quick: does the largest of them, or None.
    """

    def __init__(
        self,
        heads: Floats,
        names: NDArray[np.int32],
        values: Floats,
        counts: Ints,
        table_rows: int,
        quick: Quick | None = None,
    ) -> None:
        self.heads, self.names, self.values, self.counts = heads, names, values, counts
        self.table_rows, self._quick = table_rows, quick

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def params(self) -> int:
        """How long an update is."""
        return int(self.heads.shape[1] + self.table_rows * self.values.shape[2])

    @cached_property
    def rows(self) -> Floats:
        """All updates, `(clients, params)`: for whoever cannot do without."""
        rows = np.zeros((len(self), self.params), np.float32)
        head = self.heads.shape[1]
        rows[:, :head] = self.heads
        for row, (_, names, values) in zip(rows, self._each(), strict=True):
            row[head:].reshape(self.table_rows, -1)[names] = values
        return rows

    def combine(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`."""
        head, shares = self.heads.shape[1], weights.astype(np.float32)
        total = np.zeros(self.params, np.float32)
        if self._quick is not None:
            self._quick.add(self, shares, total)
            return total
        total[:head] = shares @ self.heads
        table = total[head:].reshape(self.table_rows, -1)
        for share, (_, names, values) in zip(shares, self._each(), strict=True):
            table[names] += share * values
        return total

    def norms(self) -> Doubles:
        """The L2 norm of each update, `(clients,)`; not finite where an update is not, or is absurdly large."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = [h @ h + np.vdot(v, v) for h, _, v in self._each()]
            return np.sqrt(np.array(squares, np.float32)).astype(np.float64)

    def only(self, rows: Bools) -> SparseUpdates:
        """The updates of some participants."""
        some = (self.heads[rows], self.names[rows], self.values[rows], self.counts[rows])
        return SparseUpdates(*some, self.table_rows, self._quick)

    def sketch(self, dims: int) -> Floats:
        """As `Updates.sketch`."""
        if self.params <= dims:
            return self.rows
        flip, folded = signs(self.params, dims), np.zeros((len(self), dims), np.float32)
        if self._quick is not None:
            self._quick.fold(self, flip, folded)
            return folded
        for out, (where, what) in zip(folded, self._coordinates(), strict=True):
            out[:] = np.bincount(where % dims, what * flip[where], dims)
        return folded

    def along(self, ways: Floats) -> Floats:
        """Inner products with some directions `(ways, params)`: `(clients, ways)`."""
        inner = [ways[:, where] @ what for where, what in self._coordinates()]
        return np.array(inner, np.float32).reshape(len(self), len(ways))

    def gram(self) -> Floats:
        """All inner products, `(clients, clients)`: of one update in full with those before it."""
        inner = np.zeros((len(self), len(self)), np.float32)
        known: list[tuple[Ints, Floats]] = []
        whole = np.zeros(self.params, np.float32)
        for i, (where, what) in enumerate(self._coordinates()):
            known.append((where, what))
            whole[where] = what
            for j, (there, theirs) in enumerate(known):
                inner[i, j] = inner[j, i] = whole[there] @ theirs
            whole[where] = 0.0
        return inner

    def columns(self, part: slice) -> Floats:
        """A slice of coordinates of every update, `(clients, width)`."""
        taken = np.arange(self.params)[part]
        out = np.zeros((len(self), len(taken)), np.float32)
        place = np.full(self.params, -1)
        place[taken] = np.arange(len(taken))
        for row, (where, what) in zip(out, self._coordinates(), strict=True):
            there = place[where]
            row[there[there >= 0]] = what[there >= 0]
        return out

    def _each(self) -> Iterator[tuple[Floats, NDArray[np.int32], Floats]]:
        """Each client's head, rows of the table, and what they changed by."""
        for head, names, values, n in zip(self.heads, self.names, self.values, self.counts.tolist(), strict=True):
            yield head, names[:n], values[:n]

    def _coordinates(self) -> Iterator[tuple[Ints, Floats]]:
        """Each client's coordinates that may differ from zero, in the order of the table's rows, and their values."""
        h, width = self.heads.shape[1], self.values.shape[2]
        for head, names, values in self._each():
            order = np.argsort(names)
            where = (h + names[order].astype(np.int64) * width)[:, None] + np.arange(width)
            yield np.concatenate([np.arange(h), where.reshape(-1)]), np.concatenate([head, values[order].reshape(-1)])
