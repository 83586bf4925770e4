"""What a trace is in numbers, and how far the generators are from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.population.availability import SyntheticAvailability
from horae.population.devices import SyntheticDevices
from horae.population.traces.phones import Phones
from horae.population.traces.sessions import Sessions
from horae.types import Availability, Bools, Doubles

STEP_S, DAY_S = 60.0, 86_400.0
MOST = 300  # clients that are looked at
LONGEST_DAYS = 7.0
LEVELS = {"5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95}
Samples = Mapping[str, Doubles]


@dataclass(frozen=True)
class Hours:
    """What is seen of clients every step_s seconds: `present` (steps, clients)."""

    present: Bools
    step_s: float = STEP_S

    @property
    def samples(self) -> dict[str, Doubles]:
        """What is compared: shares of time online (one a client), sessions that were seen to begin and to end, and the
        seconds left online at a random second.
        """
        return {"share_online": self.present.mean(axis=0), "session_s": self._sessions(), "left_s": self._left()}

    @property
    def by_hour(self) -> Doubles:
        """The share online at each hour of the day, `(24,)`."""
        hour = (np.arange(len(self.present)) * self.step_s % DAY_S // 3600).astype(np.int64)
        online = self.present.mean(axis=1)
        seen = np.bincount(hour, minlength=24)
        return np.asarray(np.bincount(hour, weights=online, minlength=24) / np.maximum(seen, 1), np.float64)

    @property
    def daily(self) -> float:
        """The first daily harmonic of the share online, peak over mean; of whole days."""
        online = self.present.mean(axis=1)
        whole = int(len(online) * self.step_s // DAY_S * DAY_S / self.step_s)
        turn = np.exp(-2j * np.pi * np.arange(whole) * self.step_s / DAY_S)
        return float(2 * np.abs((online[:whole] * turn).mean()) / online[:whole].mean()) if whole else float("nan")

    def _sessions(self) -> Doubles:
        edge = np.diff(self.present.astype(np.int8), axis=0).T  # a client after another
        client, step = np.nonzero(edge)
        begins = edge[client, step] > 0
        ends = np.flatnonzero(~begins[1:] & begins[:-1] & (client[1:] == client[:-1])) + 1
        return np.asarray((step[ends] - step[ends - 1]) * self.step_s, np.float64)

    def _left(self) -> Doubles:
        left, at = np.zeros(self.present.shape[1]), []
        for step in range(len(self.present) - 1, -1, -1):
            left = (left + self.step_s) * self.present[step]
            if step * self.step_s % 3600 == 0:
                at.append(left[left > 0])
        return np.concatenate(at)


def watched(there: Availability, length_s: float, seed: int = 0, step_s: float = STEP_S) -> Hours:
    """The first 300 clients, looked at once a minute, for a week at most."""
    ids, times = np.arange(MOST), np.arange(0, min(length_s, LONGEST_DAYS * DAY_S), step_s)
    return Hours(np.array([there.online(ids, float(at_s), seed) for at_s in times]), step_s)


def watched_trace(known: Sessions, step_s: float = STEP_S) -> Hours:
    """The same of a trace: 300 clients that lie evenly in it, or all."""
    some = np.linspace(0, known.clients - 1, min(known.clients, MOST)).astype(np.int64)
    times = np.arange(0, min(float(known.period_s.max()), LONGEST_DAYS * DAY_S), step_s)
    return Hours(np.array([known.online(some, float(at_s)) for at_s in times]), step_s)


def generated_hours(known: Sessions, seed: int = 0) -> Hours:
    """What the synthetic availability, at its defaults, makes of as many clients and days."""
    return watched(SyntheticAvailability(), float(known.period_s.max()), seed)


def speeds(known: Phones) -> dict[str, Doubles]:
    """What is compared of devices."""
    return {"ms_per_sample": known.ms_per_sample, "kbps": known.kbps}


def generated_speeds(seed: int = 0, n: int = 3000) -> dict[str, Doubles]:
    """What the synthetic devices, at their defaults, are."""
    made = SyntheticDevices().capacity(np.arange(n), seed)
    return {"ms_per_sample": made.ms_per_sample, "kbps": made.kbps}


def distance(one: Doubles, other: Doubles) -> float:
    """The Kolmogorov-Smirnov distance: the greatest difference of the two distribution functions.

    >>> distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    at = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(values), at, side="right") / values.size for values in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def quantiles(values: Doubles) -> dict[str, float]:
    """5, 25, 50, 75 and 95 %."""
    return {name: _short(np.quantile(values, level)) if values.size else 0.0 for name, level in LEVELS.items()}


def facts(known: Sessions | Phones) -> dict[str, Any]:
    """What the trace is: its size, and its quantiles, exactly."""
    if isinstance(known, Phones):
        own = {name: quantiles(values) for name, values in speeds(known).items()}
        spreads = {f"{name}_log_sd": _short(np.log(values).std()) for name, values in speeds(known).items()}
        return {"holds": "devices", "clients": known.clients, **own, **spreads}
    return {
        "holds": "availability",
        "clients": known.clients,
        "period_s": _short(known.period_s.max()),
        "sessions": int(known.start.size),
        "mean_online": _short(known.shares.mean()),
        "never_online": int((known.shares == 0).sum()),
        "share_online": quantiles(known.shares),
        "session_s": quantiles(known.lengths_s),
    }


def compared(real: Samples, made: Samples) -> dict[str, dict[str, Any]]:
    """Each sample's quantiles, real and generated, and their distance."""
    return {
        name: {
            "real": quantiles(values),
            "generated": quantiles(made[name]),
            "ks": round(distance(values, made[name]), 3),
        }
        for name, values in real.items()
        if values.size and made[name].size
    }


def _short(value: Any) -> float:
    return float(f"{float(value):.6g}")
