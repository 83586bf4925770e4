"""REFL: those who will soon be gone come first, and late updates are used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.selectors.met import Met, nobody
from horae.types import Ints, Outcome, Stays

FIRST, USUAL, IN_VAIN = 0, 1, 2  # the order in which candidates are taken


@dataclass(frozen=True)
class Hours:
    """What REFL knows in one cohort. round: rounds so far. mu_s: the length of a round, NaN before the first. met:
    `last`, the round a client was invited to.
    """

    round: int
    mu_s: float
    met: Met


@dataclass(frozen=True)
class Refl:
    """Least available first: who stays for one round's length μ but not for a second one, ties at random.

        μ ← (1 - α) D + α μ

    D: how long the round lasted. Who was invited in the last `blackout` rounds waits behind all others. Updates that
    are up to `staleness` rounds late are used; the algorithm "saa" weighs them as REFL does.

    Source: Abdelmoniem et al. (EuroSys 2023), intelligent participant selection; constants: its code. Reading: there,
    clients forecast their hours; here it is the truth, and so REFL at its best. Who leaves before μ is over comes
    after those who stay, for it would drop out; in the code both rank alike. Before the first round μ is unknown and
    everybody ranks alike. The adaptive participant target is the loop's: it invites as many fewer as are still at work
    for earlier rounds.
    """

    alpha: float = 0.25
    blackout: int = 5
    staleness: int = 5
    pool: int = 10

    def __post_init__(self) -> None:
        require(0 <= self.alpha < 1, "selector.alpha", "be in [0, 1)", self.alpha)
        require(0 <= self.blackout <= 10**6, "selector.blackout", "be in [0, 1e6]", self.blackout)
        require(0 <= self.staleness <= 1000, "selector.staleness", "be in [0, 1000]", self.staleness, "0 uses none")
        require(1 <= self.pool <= 1000, "selector.pool", "be in [1, 1000]", self.pool)

    def init(self) -> Hours:
        """Nobody is known."""
        return Hours(0, float("nan"), nobody("last"))

    def offers(self, n: int) -> int:
        """`pool` times as many as it invites."""
        return self.pool * n

    def pick(self, state: Hours, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """Without a forecast: at random, after a blackout."""
        return self._first(state, candidates, n, np.full(candidates.size, USUAL), rng)

    def pick_staying(
        self, state: Hours, candidates: Ints, n: int, now_s: float, rng: np.random.Generator, stays: Stays
    ) -> Ints:
        """The least available of those who stay long enough."""
        mu = state.mu_s
        if not np.isfinite(mu) or candidates.size <= n:
            return self.pick(state, candidates, n, now_s, rng)
        one, two = stays(candidates, now_s, now_s + mu), stays(candidates, now_s + mu, now_s + 2 * mu)
        return self._first(state, candidates, n, np.where(one, np.where(two, USUAL, FIRST), IN_VAIN), rng)

    def learn(self, state: Hours, outcome: Outcome) -> Hours:
        """How long a round lasts, and who was invited."""
        lasted, number = outcome.at_s - outcome.started_s, state.round + 1
        mu = (1 - self.alpha) * lasted + self.alpha * state.mu_s if np.isfinite(state.mu_s) else lasted
        return Hours(number, float(mu), state.met.put(outcome.round.invited, last=number))

    def _first(self, state: Hours, candidates: Ints, n: int, rank: Ints, rng: np.random.Generator) -> Ints:
        """n candidates by blackout, then rank, then chance."""
        since = state.round + 1 - state.met.of(candidates, "last")
        resting = since <= self.blackout  # False for those who were not met
        order = np.lexsort((rng.random(candidates.size), rank, resting))
        return np.sort(candidates[order[:n]])
