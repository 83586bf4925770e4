"""When clients are there: a question of client, second and seed, never of who asked before.

Nothing is simulated forward and nothing is stored, so that asking about 200 of ten million clients costs 200.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # its parts are loaded when they are first used

from horae.errors import require
from horae.pure.streams import uniforms
from horae.types import Bools, Doubles, Ints

DAY_S, AGES_S = 86_400.0, 1e10
_WALK = 200  # slots that `until` looks ahead at most
_HALF_CELL = 2.0**-54  # uniforms() lies on a grid of 2^-53 that holds 0: the middle of each cell has a finite quantile


@dataclass(frozen=True)
class AlwaysOnline:
    """Everybody is there all the time: the control."""

    def online(self, clients: Ints, at_s: float, seed: int) -> Bools:
        """True for all, `(clients,)`."""
        return np.ones(len(clients), np.bool_)

    def until(self, clients: Ints, at_s: float, seed: int) -> Doubles:
        """Nobody ever leaves: inf, `(clients,)`."""
        return np.full(len(clients), np.inf)


@dataclass(frozen=True)
class SyntheticAvailability:
    """Clients that come and go like phones on a charger: some often, some hardly ever, most at their own time of day.

    Client i cuts time into slots of its own length and is online in its slot k iff

        uniform(i, k) < p_i (1 + daily sin(2π t_k / day + φ_i)),    p_i ~ Beta(mean c, (1 - mean) c),  c = concentration

    with t_k the middle of the slot. Slot lengths are log-normal over clients (median `session_s` seconds, log-sd
    `session_sd`, whole seconds), φ_i is normal with `phase_spread_h` hours (0: all share a day, 24: none does).
    `late_share` of the clients are absent before `late_after_s`: who comes late to a run.

    Source: 300 phones of FLASH (Yang et al., WWW 2021), days 2-4, and beside them 3,000 clients of ours:

        share of time online, mean; 5-95 % over phones          .175; .00-.48           .195; .00-.50
        first daily harmonic of the population, peak / mean      .17                     .16
        seconds left online, at a random second, 25/50/75 %      1,999 / 5,996 / 16,174  2,084 / 5,654 / 14,540
        autocorrelation of presence after 30 min, 1 h, 3 h       .72, .55, .22           .67, .47, .15

    Reading: the trace's sessions have a median of 834 s, but most are blips that hold hardly any of the time. A round
    meets phones at a random second, so the slots are fitted to the time left and not to the sessions.
    """

    mean: float = 0.2
    concentration: float = 7.4
    session_s: float = 8000.0
    session_sd: float = 1.0
    daily: float = 0.5
    phase_spread_h: float = 5.5
    late_share: float = 0.0
    late_after_s: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.mean < 1, "availability.mean", "be in (0, 1)", self.mean)
        require(0 < self.concentration < np.inf, "availability.concentration", "be > 0", self.concentration)
        require(1 <= self.session_s <= AGES_S, "availability.session_s", "be >= 1 and <= 1e10", self.session_s)
        require(0 <= self.session_sd <= 3, "availability.session_sd", "be in [0, 3]", self.session_sd)
        require(0 <= self.daily <= 1, "availability.daily", "be in [0, 1]", self.daily)
        require(0 <= self.phase_spread_h <= 24, "availability.phase_spread_h", "be in [0, 24]", self.phase_spread_h)
        require(0 <= self.late_share <= 1, "availability.late_share", "be in [0, 1]", self.late_share)
        require(0 <= self.late_after_s <= AGES_S, "availability.late_after_s", "be >= 0 and <= 1e10", self.late_after_s)
        when, remedy = self.late_share == 0 or self.late_after_s > 0, "say when they come, or leave out late_share"
        require(when, "availability.late_after_s", "be > 0 where late_share is", self.late_after_s, remedy)

    def online(self, clients: Ints, at_s: float, seed: int) -> Bools:
        """Who is online at that second, `(clients,)`."""
        habits = self._habits(clients, seed)
        here = self._present(habits, habits.slot(at_s), seed)
        if self.late_share > 0 and at_s < self.late_after_s:
            here &= uniforms(seed, "availability late", habits.clients) >= self.late_share
        return here

    def until(self, clients: Ints, at_s: float, seed: int) -> Doubles:
        """The first second at which each client, online now, is offline, `(clients,)`; at_s for one that is not online.

        It looks 200 slots ahead; whoever stays longer is said to leave then.
        """
        habits = self._habits(clients, seed)
        slot = habits.slot(at_s)
        left = np.flatnonzero(self.online(habits.clients, at_s, seed))
        end_s = np.full(slot.size, float(at_s))
        for _ in range(_WALK):
            slot[left] += 1
            end_s[left] = habits.start_s(slot)[left]
            left = left[self._present(habits.of(left), slot[left], seed)]
            if left.size == 0:
                break
        return end_s

    def _present(self, habits: _Habits, slot: Ints, seed: int) -> Bools:
        middle_s = habits.start_s(slot) + habits.slot_s / 2
        day = 1 + self.daily * np.sin(2 * np.pi * middle_s / DAY_S + habits.phase)
        here: Bools = uniforms(seed, "availability slot", habits.clients, slot) < habits.share * day
        return here

    def _habits(self, clients: Ints, seed: int) -> _Habits:
        ids = np.asarray(clients, np.int64)
        share = np.interp(uniforms(seed, "availability share", ids), *_beta_quantiles(self.mean, self.concentration))
        slot_s = np.ceil(self.session_s * np.exp(self.session_sd * _normal(seed, "availability slot length", ids)))
        offset_s = np.floor(slot_s * uniforms(seed, "availability offset", ids))
        phase = 2 * np.pi * self.phase_spread_h / 24 * _normal(seed, "availability phase", ids)
        return _Habits(ids, share, slot_s, offset_s, phase)


@dataclass(frozen=True)
class _Habits:
    """What is constant about each client. slot_s and offset_s are whole seconds, so that slot borders are exact."""

    clients: Ints
    share: Doubles
    slot_s: Doubles
    offset_s: Doubles
    phase: Doubles

    def of(self, rows: Ints) -> _Habits:
        return _Habits(self.clients[rows], self.share[rows], self.slot_s[rows], self.offset_s[rows], self.phase[rows])

    def slot(self, at_s: float) -> Ints:
        """The number of the slot that holds this second."""
        return ((at_s + self.offset_s) // self.slot_s).astype(np.int64)

    def start_s(self, slot: Ints) -> Doubles:
        return slot * self.slot_s - self.offset_s


def _normal(seed: int, purpose: str, ids: Ints) -> Doubles:
    """One standard normal number per id."""
    return np.asarray(scipy.special.ndtri(uniforms(seed, purpose, ids) + _HALF_CELL), np.float64)


@lru_cache(maxsize=16)
def _beta_quantiles(mean: float, concentration: float) -> tuple[Doubles, Doubles]:
    """Probabilities and quantiles of Beta(mean c, (1 - mean) c) at 4,097 points: inverting it costs 3 µs a client."""
    grid = np.linspace(0, 1, 4097)
    return grid, np.asarray(
        scipy.special.betaincinv(mean * concentration, (1 - mean) * concentration, grid), np.float64
    )
