"""When the clients of a trace are online: columns of sessions, and look-ups that remember nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from horae.population.traces.wrong import Wrong
from horae.types import Bools, Doubles, Ints

TICKS = 1024  # a second's: a power of two, so that seconds and their sums are exact
LONGEST_S = 1e9  # thirty years


@dataclass(frozen=True, eq=False)
class Sessions:
    """Who is online when: client c is there in the half-open sessions [start, end) of its row, over and over.

        c is online at t  iff  start_j <= t mod period_c < end_j  for a session j of c

    names: the trace's clients. offsets `(clients + 1,)`: where each row begins in start and end `(sessions,)`. period
    `(clients,)`. Times are in 1/1024 s. Within a row sessions are sorted and do not touch.
    """

    names: tuple[str, ...]
    offsets: Ints
    start: Ints
    end: Ints
    period: Ints
    _keys: Ints = field(init=False, repr=False)
    _leave: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = np.repeat(np.arange(self.clients), np.diff(self.offsets))
        object.__setattr__(self, "_keys", rows * self._stride + self.start)
        object.__setattr__(self, "_leave", self._leaving())

    @classmethod
    def of(
        cls, names: Sequence[str], rows: Ints, start_s: Doubles, end_s: Doubles, period_s: Doubles | float
    ) -> Sessions:
        """Sessions from columns in any order: rows `(sessions,)` says whose they are. A session of no length says only
        that there is such a client. Errors: Wrong, which names the client.
        """
        start_s, end_s = np.asarray(start_s, np.float64), np.asarray(end_s, np.float64)
        period_s = np.broadcast_to(np.asarray(period_s, np.float64), (len(names),))
        _check(names, rows, start_s, end_s, period_s)
        start, end, period = (np.round(column * TICKS).astype(np.int64) for column in (start_s, end_s, period_s))
        order = np.lexsort((start, rows))
        order = order[end[order] > start[order]]
        rows, start, end = rows[order], start[order], end[order]
        if not rows.size:
            raise Wrong("somebody should be online some time, but nobody ever is")
        later = np.flatnonzero((rows[1:] == rows[:-1]) & (start[1:] < end[:-1])) + 1
        if later.size:
            at = int(later[0])
            where = f"client {names[rows[at]]} has one from {start[at] / TICKS:g} s while another lasts until"
            raise Wrong(f"sessions should not overlap, but {where} {end[at - 1] / TICKS:g} s; merge them")
        fresh = np.append(True, (rows[1:] != rows[:-1]) | (start[1:] != end[:-1]))  # the others go on where one ended
        offsets = np.searchsorted(rows[fresh], np.arange(len(names) + 1))
        return cls(tuple(names), offsets, start[fresh], end[np.append(fresh[1:], True)], period)

    @property
    def clients(self) -> int:
        """How many clients the trace has."""
        return self.period.size

    @property
    def rows(self) -> Ints:
        """Whose each session is, `(sessions,)`."""
        return np.repeat(np.arange(self.clients), np.diff(self.offsets))

    @property
    def period_s(self) -> Doubles:
        """After how many seconds each client's hours begin anew, `(clients,)`."""
        return self.period / TICKS

    @property
    def lengths_s(self) -> Doubles:
        """How long each session lasts, `(sessions,)`."""
        return (self.end - self.start) / TICKS

    @property
    def shares(self) -> Doubles:
        """The share of its time that each client is online, `(clients,)`."""
        totals = np.bincount(self.rows, weights=self.end - self.start, minlength=self.clients)
        return np.asarray(totals / self.period, np.float64)

    def online(self, rows: Ints, at_s: float) -> Bools:
        """Who is online at that second, `(rows,)`."""
        return self._find(rows, at_s)[2]

    def until(self, rows: Ints, at_s: float) -> Doubles:
        """When each of them, online now, goes offline: inf for one that never does, at_s for one that is not online."""
        since, session, here = self._find(rows, at_s)
        leave = self._leave[session]
        began = int(np.floor(at_s * TICKS)) - since
        end_s = np.where(leave < 0, np.inf, (began + leave) / TICKS)
        return np.where(here, end_s, float(at_s))

    def cut(self, from_s: float, to_s: float) -> Sessions:
        """The part between two seconds, as a trace of its own that begins at 0."""
        if not 0 <= from_s < to_s or np.any(to_s * TICKS > self.period):
            raise Wrong(
                f"the part kept should lie within the trace's {self.period.min() / TICKS:g} s, not {from_s:g}-{to_s:g}"
            )
        start = np.clip(self.start / TICKS, from_s, to_s) - from_s
        end = np.clip(self.end / TICKS, from_s, to_s) - from_s
        return Sessions.of(self.names, self.rows, start, end, to_s - from_s)

    @property
    def _stride(self) -> int:
        """What a client's key is apart from the next one's."""
        return int(self.period.max()) + 1

    def _find(self, rows: Ints, at_s: float) -> tuple[Ints, Ints, Bools]:
        """Ticks since each row's period began, the session that began last, and whether it still lasts."""
        rows = np.asarray(rows, np.int64)
        since = int(np.floor(at_s * TICKS)) % self.period[rows]
        session = np.searchsorted(self._keys, rows * self._stride + since, side="right") - 1
        return since, session, (session >= self.offsets[rows]) & (since < self.end[session])

    def _leaving(self) -> Ints:
        """The tick at which each session ends, where it goes on into the next period too; -1: never."""
        leave = self.end.copy()
        some = np.flatnonzero(np.diff(self.offsets))
        first, last = self.offsets[some], self.offsets[some + 1] - 1
        on = (self.start[first] == 0) & (self.end[last] == self.period[some])
        leave[last[on]] = np.where(first[on] == last[on], -1, self.period[some[on]] + self.end[first[on]])
        return leave


def _check(names: Sequence[str], rows: Ints, start_s: Doubles, end_s: Doubles, period_s: Doubles) -> None:
    """Refuse times that are none. Errors: Wrong."""
    odd = np.flatnonzero(~((period_s >= 1) & (period_s <= LONGEST_S)))
    if odd.size:
        raise Wrong(f"client {names[odd[0]]} should have a period of 1 to 1e9 s, got {period_s[odd[0]]:g}")
    if len(names) * LONGEST_S > 2**52:
        raise Wrong(f"a trace should have at most 4 million clients, got {len(names):,}")
    for what, fine in (
        ("start and end in finite seconds", np.isfinite(start_s) & np.isfinite(end_s)),
        ("start at 0 s or later", start_s >= 0),
        ("not end before they start", end_s >= start_s),
        ("end within the period", end_s <= period_s[rows]),
    ):
        odd = np.flatnonzero(~fine)
        if odd.size:
            at = odd[0]
            raise Wrong(f"sessions should {what}, but client {names[rows[at]]} has {start_s[at]:g} to {end_s[at]:g} s")
