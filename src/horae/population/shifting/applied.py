"""Shifts carried out: who belongs to which group, what each group's samples become, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import require
from horae.population.pool import Pool, Shift
from horae.population.rows import Drift, Ragged
from horae.pure.streams import stream
from horae.types import Bools, Doubles, Ints

BLOCK = 2048  # samples changed at once


@dataclass(frozen=True)
class Crossings:
    """When samples change, and the row that each becomes.

    times `(k, rows)`: when each row changes for the first, second, ... time, in order. stand `(k + 1, rows)`: the row
    of x that stands in for it before, between and after. Rows beyond these never change.
    """

    times: Doubles
    stand: Ints

    def at(self, rows: list[Ints], clients: Ints, at_s: float) -> list[Ints]:
        """The rows that stand in for these at that second."""
        return [self._row(row, at_s) for row in rows]

    def _row(self, row: Ints, at_s: float) -> Ints:
        mine = row < self.times.shape[1]
        known = row[mine]
        out = row.copy()
        out[mine] = self.stand[(self.times[:, known] <= at_s).sum(axis=0), known]
        return out


def planted(shifts: Sequence[Shift], clients: int, seed: int) -> Ints:
    """The group of each client, `(clients,)`: near equal parts of the product of the shifts' groups, by lot."""
    total = int(np.prod([shift.groups for shift in shifts], initial=1))
    fine = total <= clients or not shifts
    require(fine, "population.shifts", f"make at most {clients} groups, one per client", total, "make fewer")
    return stream(seed, "population groups").permutation(np.arange(clients) % max(total, 1))


def digits(sides: Ints, shifts: Sequence[Shift]) -> Ints:
    """Each shift's own group, `(shifts, n)`: a number written in mixed base, the last shift's group changing fastest.

    >>> from types import SimpleNamespace as Two
    >>> digits(np.arange(4), [Two(groups=2), Two(groups=2)]).tolist()
    [[0, 0, 1, 1], [0, 1, 0, 1]]
    """
    bases = [shift.groups for shift in shifts]
    return np.array(np.unravel_index(sides, bases or [1]), np.int64).reshape(len(bases) or 1, -1)


def applied(
    pool: Pool, shifts: Sequence[Shift], sides: Ints, train: Ragged, test: Ragged, seed: int
) -> tuple[NDArray[Any], NDArray[Any], Ragged, Ragged, Drift | None]:
    """x, y, train, test and drift after the shifts; nobody holds a row that somebody else holds.

    sides `(clients,)`: groups of the product. Where no inputs change and nothing drifts, x is the pool's own array;
    otherwise x holds the held samples once, and once more for each later state that differs.
    """
    if not shifts:
        return pool.x, pool.y, train, test, None
    work = _Work(pool, tuple(shifts), sides, train, test, seed)
    times = work.times()
    if times.size == 0 and not work.moving().any():
        y = pool.y.copy()
        y[work.held] = work.labels(work.allowed)
        return pool.x, y if (y != pool.y).any() else pool.y, train, test, None
    x, y, stand = work.filled(times)
    n = train.indices.size
    train, test = Ragged(train.offsets, work.places[:n]), Ragged(test.offsets, work.places[n:])
    return x, y, train, test, Crossings(np.sort(times, axis=0), stand) if times.size else None


class _Work:
    """What is needed to carry the shifts out, sample by held sample; `held` are their positions in the pool."""

    def __init__(
        self, pool: Pool, shifts: tuple[Shift, ...], sides: Ints, train: Ragged, test: Ragged, seed: int
    ) -> None:
        self.pool, self.shifts, self.seed = pool, shifts, seed
        self.held, self.places = np.unique(np.concatenate([train.indices, test.indices]), return_inverse=True)
        self.who = np.empty(self.held.size, np.int64)
        self.who[self.places] = np.concatenate([train.owners, test.owners])
        self.parts = (train, test)
        self.group = digits(sides, shifts)[:, self.who]  # (shifts, held)
        self.drifting = [i for i, shift in enumerate(shifts) if any(_when(shift))]
        self.allowed = np.ones(self.group.shape, bool)  # (shifts, held): a shift may leave tests alone
        tested = np.unique(self.places[train.indices.size :])
        for i, shift in enumerate(shifts):
            self.allowed[i, tested] = getattr(shift, "tests", True)
            check = getattr(shift, "check", None)
            if check is not None:
                check(pool)

    def times(self) -> Doubles:
        """When each held sample crosses over, for each shift that drifts: `(drifting, held)`."""
        out = np.empty((len(self.drifting), self.held.size))
        for k, i in enumerate(self.drifting):
            from_s, over_s = _when(self.shifts[i])
            out[k, self.places] = from_s + over_s * np.concatenate([self._order(p, i) for p in range(2)])
        return out

    def _order(self, part: int, shift: int) -> Doubles:
        """Where each of a part's samples stands in its client's own order, in (0, 1]."""
        rows = self.parts[part]
        ranks = [
            (stream(self.seed, "population drift", i, shift, part).permutation(size) + 1) / size
            for i, size in enumerate(rows.sizes)
        ]
        return np.concatenate([np.empty(0), *ranks])

    def moving(self) -> Bools:
        """Whether each shift changes each held sample's input: `(shifts, held)`. It is a matter of the group."""
        out: Bools = np.zeros(self.group.shape, bool)
        probe = np.asarray(self.pool.x[self.held[:1]])
        for i, shift in enumerate(self.shifts):
            for group in np.unique(self.group[i]):
                out[i, self.group[i] == group] = shift.inputs(probe, int(group), self.seed) is not probe
        return out

    def labels(self, on: Bools) -> NDArray[Any]:
        """The held samples' labels where these shifts are on, `(shifts, held)`."""
        y = np.asarray(self.pool.y[self.held])
        order = np.argsort(self.who, kind="stable")
        bounds = np.searchsorted(self.who[order], np.arange(self.who.max() + 2))
        for i, shift in enumerate(self.shifts):
            for client in range(bounds.size - 1):
                rows = order[bounds[client] : bounds[client + 1]]
                if rows.size:  # all of them, so that chance falls on the same ones whichever are on
                    named = shift.labels(y[rows], int(self.group[i, rows[0]]), self.pool.classes, self.seed, client)
                    y[rows] = np.where(_beside(on[i, rows], y), named, y[rows])
        return y

    def filled(self, times: Doubles) -> tuple[NDArray[Any], NDArray[Any], Ints]:
        """x, y, and for each state the row that stands for each held sample, `(states, held)`."""
        states = self._states(times)
        moving, labels = self.moving(), [self.labels(on) for on in states]
        stand = np.tile(np.arange(self.held.size), (len(states), 1))
        end = self.held.size
        for k in range(1, len(states)):
            fresh = ((states[k] != states[k - 1]) & moving).any(axis=0) | _differ(labels[k], labels[k - 1])
            stand[k] = stand[k - 1]
            stand[k, fresh] = np.arange(end, end + int(fresh.sum()))
            end += int(fresh.sum())
        x = np.empty((end, *self.pool.x.shape[1:]), self.pool.x.dtype)
        y = np.empty((end, *self.pool.y.shape[1:]), self.pool.y.dtype)
        for k, on in enumerate(states):
            new = np.flatnonzero(stand[k] != stand[k - 1]) if k else np.arange(self.held.size)
            y[stand[k, new]] = labels[k][new]
            self._fill(x, new, stand[k], on & moving)
        return x, y, stand

    def _states(self, times: Doubles) -> list[Bools]:
        """Which shifts are on for each held sample before, between and after its crossings: `(shifts, held)` each."""
        on = self.allowed.copy()
        on[self.drifting] = False
        states, order = [on], np.argsort(times, axis=0, kind="stable")
        for row in order:
            on = on.copy()
            crossed = np.array(self.drifting)[row], np.arange(self.held.size)
            on[crossed] = self.allowed[crossed]
            states.append(on)
        return states

    def _fill(self, x: NDArray[Any], new: Ints, stand: Ints, on: Bools) -> None:
        """x's rows `stand` of these held samples, as the shifts that are on make them."""
        keys = np.concatenate([np.where(on, self.group, -1)[:, new], np.zeros((1, new.size), np.int64)])
        for key in np.unique(keys, axis=1).T:
            rows = new[(keys == key[:, None]).all(axis=0)]
            for first in range(0, rows.size, BLOCK):
                some = rows[first : first + BLOCK]
                seen = np.asarray(self.pool.x[self.held[some]])
                for shift, group in zip(self.shifts, key, strict=False):
                    if group >= 0:
                        seen = shift.inputs(seen, int(group), self.seed)
                remedy = "make the images square"
                require(
                    seen.shape[1:] == x.shape[1:], "population.shifts", "keep the samples' shape", seen.shape, remedy
                )
                x[stand[some]] = seen


def _differ(one: NDArray[Any], other: NDArray[Any]) -> Bools:
    """Which samples' labels differ, `(n,)`."""
    differ: Bools = (one != other).reshape(len(one), -1).any(axis=1)
    return differ


def _when(shift: Shift) -> tuple[float, float]:
    """When a shift sets in, and how long it takes: zeros where it is there from the start."""
    return getattr(shift, "from_s", 0.0), getattr(shift, "over_s", 0.0)


def _beside(on: Bools, y: NDArray[Any]) -> Bools:
    """on `(n,)`, to be held against labels of more axes."""
    return on.reshape(-1, *[1] * (y.ndim - 1))
