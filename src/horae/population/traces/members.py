"""Traces as members of the families: who is online when, and on what device."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from horae.errors import ConfigError, DataError, require
from horae.population.traces.phones import Phones
from horae.population.traces.reading import located, read_trace
from horae.population.traces.sessions import Sessions
from horae.population.traces.wrong import Wrong
from horae.pure.streams import stream
from horae.types import Bools, Capacity, Doubles, Ints

DAY_S = 86_400.0
EXAMPLES = Path(__file__).with_name("example")
_REMEDY = "name one below the data directory, e.g. traces/flash_availability_300x6d.json"


@dataclass(frozen=True)
class TraceAvailability:
    """Clients that come and go as those of a recorded trace did: client i has the hours of the trace's row i mod n.

    file: the trace, below the data directory; its format is seen from its content (docs/traces.md). shuffle: rows are
    dealt out by seed. from_day, days: the part that is kept (days 0: what is left). Time runs modulo the trace's
    period. Until it is given a file it answers from a small example of our own; an experiment must name one.

    Source: FedScale (ICML 2022) lets a client use the (i mod n)-th key of its trace, time modulo finish_time.
    """

    file: str = ""
    shuffle: bool = False
    from_day: float = 0.0
    days: float = 0.0
    loaded: Sessions | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require(0 <= self.from_day <= 1e4, "availability.from_day", "be in [0, 1e4]", self.from_day)
        require(0 <= self.days <= 1e4, "availability.days", "be in [0, 1e4]; 0 is all there are", self.days)

    def opened(self, data_root: Path | None) -> TraceAvailability:
        """The same with the file read. Errors: ConfigError, DataError."""
        require(bool(self.file), "availability.file", "be a trace of who is online when", self.file, _REMEDY)
        path = located(self.file, data_root)
        return self._with(path, _of_kind(path, Sessions))

    def online(self, clients: Ints, at_s: float, seed: int) -> Bools:
        """Who is online at that second, `(clients,)`."""
        known = self._sessions()
        return known.online(_rows(clients, known.clients, self.shuffle, seed), at_s)

    def until(self, clients: Ints, at_s: float, seed: int) -> Doubles:
        """The first second at which each client, online now, is offline; at_s for one that is not online."""
        known = self._sessions()
        return known.until(_rows(clients, known.clients, self.shuffle, seed), at_s)

    def _with(self, path: Path, known: Sessions) -> TraceAvailability:
        if self.from_day or self.days:
            to_s = (self.from_day + self.days) * DAY_S if self.days else float(known.period_s.min())
            try:
                known = known.cut(self.from_day * DAY_S, to_s)
            except Wrong as error:
                raise ConfigError(f"availability.from_day, days: {path}: {error}") from None
        return _holding(self, known)

    def _sessions(self) -> Sessions:
        return self.loaded or _itself(self).loaded


@dataclass(frozen=True)
class TraceDevices:
    """Devices of a recorded trace: client i has that of the trace's row i mod n.

    file: the trace, below the data directory; its format is seen from its content (docs/traces.md). shuffle: rows are
    dealt out by seed. Until it is given a file it answers from a small example of our own; an experiment must name one.

    Source: FedScale (ICML 2022) lets a client use the (i mod n)-th key of its trace.
    """

    file: str = ""
    shuffle: bool = False
    loaded: Phones | None = field(default=None, init=False, repr=False, compare=False)

    def opened(self, data_root: Path | None) -> TraceDevices:
        """The same with the file read. Errors: ConfigError, DataError."""
        require(bool(self.file), "devices.file", "be a trace of devices", self.file, _REMEDY.replace(*_OTHER))
        return _holding(self, _of_kind(located(self.file, data_root), Phones))

    def capacity(self, clients: Ints, seed: int) -> Capacity:
        """Speed and bandwidth of these clients, whoever else is asked about."""
        known = self.loaded or _itself(self).loaded
        return known.capacity(_rows(clients, known.clients, self.shuffle, seed))


_OTHER = ("flash_availability_300x6d", "flash_aggregated_durations_1000")
_EXAMPLE = {Sessions: "availability.csv", Phones: "devices.csv"}


def _of_kind(path: Path, kind: Any) -> Any:
    """The trace in a file, if it is of this kind. Errors: DataError."""
    known, form = read_trace(path)
    if not isinstance(known, kind):
        words = {Sessions: "who is online when", Phones: "devices"}
        raise DataError(f"{path} should hold {words[kind]}, got {words[type(known)]} ({form}); name the other file")
    return known


Member = TypeVar("Member", TraceAvailability, TraceDevices)


def _holding(member: Member, known: Any) -> Member:
    """A copy of a member that has its trace."""
    copy = type(member)(**{name: value for name, value in vars(member).items() if name != "loaded"})
    object.__setattr__(copy, "loaded", known)
    return copy


@functools.lru_cache(maxsize=8)
def _itself(member: Any) -> Any:
    """A member that nobody opened, opened: below the usual data directory, or with the example."""
    if member.file:
        return member.opened(None)
    if isinstance(member, TraceAvailability):
        return _holding(member, _of_kind(EXAMPLES / _EXAMPLE[Sessions], Sessions))
    return _holding(member, _of_kind(EXAMPLES / _EXAMPLE[Phones], Phones))


def _rows(clients: Ints, n: int, shuffle: bool, seed: int) -> Ints:
    """The trace's row of each client."""
    rows = np.asarray(clients, np.int64) % n
    return _dealt(n, seed)[rows] if shuffle else rows


@functools.lru_cache(maxsize=8)
def _dealt(n: int, seed: int) -> Ints:
    """The rows in an order of this seed's own."""
    order: Ints = stream(seed, "trace rows").permutation(n)
    return order
