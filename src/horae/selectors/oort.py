"""Oort: clients whose samples the model finds hard, and who are quick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log

import numpy as np

from horae.errors import require
from horae.selectors.met import Met, nobody
from horae.types import Doubles, Ints, Outcome

FAINTEST = 1e-4  # nobody's chance is zero


@dataclass(frozen=True)
class Arms:
    """What Oort knows in one cohort.

    round: rounds that taught it something. preferred: the share of the clients met that should be as quick as T.
    history: mean utilities of the last rounds. met: `utility`, `duration_s`, and `last`, the round a client was in.
    """

    round: int
    preferred: float
    history: Doubles
    met: Met


@dataclass(frozen=True)
class Oort:
    """Candidates that were met are drawn in proportion to their score, and a falling share of newcomers is tried.

        U_i = |B_i| √(Σ loss² / |B_i|)
        score_i = (min(U_i, clip) - min U) / (max U - min U) + √(bonus · ln R / L_i)
        score_i ← score_i (T / t_i)^α   if t_i > T

    R: this round; L_i: the last round of client i; t_i: its duration. clip: that quantile of the candidates' U. T: the
    duration that the share `preferred` of the clients met keeps to; the pacer raises the share by `pacer_step` when the
    mean U of `pacer_rounds` rounds has become flat (within 10 % of that of those before), and lowers it when U changed
    fivefold. Newcomers' share: max(explore_least, explore · explore_decay^R). The k to be drawn come from those who
    score at least `cutoff` times the k-th best, and from no fewer than `pool` · k where there are as many.

    Source: Lai et al. (OSDI 2021), section 4; constants: FedScale's Oort. Reading: Σ loss² / |B| is the square of the
    mean training loss, all a participant reports, and |B_i| the samples it holds. Newcomers are drawn evenly, since
    nobody knows their samples or speed before they took part. Who was invited in vain has the mean utility, and takes
    at least as long as the round did. The pacer looks at all participants of a round.
    """

    explore: float = 0.9
    explore_decay: float = 0.98
    explore_least: float = 0.3
    clip: float = 0.9
    bonus: float = 0.1
    alpha: float = 2.0
    preferred: float = 0.3
    pacer_rounds: int = 20
    pacer_step: float = 0.05
    cutoff: float = 0.05
    pool: int = 10

    def __post_init__(self) -> None:
        for name in ("explore", "explore_decay", "clip", "cutoff"):
            require(0 <= getattr(self, name) <= 1, f"selector.{name}", "be in [0, 1]", getattr(self, name))
        least, should = self.explore_least, f"be in [0, explore = {self.explore}]"
        require(0 <= least <= self.explore, "selector.explore_least", should, least)
        require(0 <= self.bonus <= 1000, "selector.bonus", "be in [0, 1000]", self.bonus)
        require(0 <= self.alpha <= 100, "selector.alpha", "be in [0, 100]", self.alpha, "0 is no penalty")
        require(0 < self.preferred <= 1, "selector.preferred", "be in (0, 1]", self.preferred, "1 is no penalty")
        require(1 <= self.pacer_rounds <= 10**6, "selector.pacer_rounds", "be in [1, 1e6]", self.pacer_rounds)
        require(0 <= self.pacer_step <= 1, "selector.pacer_step", "be in [0, 1]", self.pacer_step, "0 is no pacer")
        require(1 <= self.pool <= 1000, "selector.pool", "be in [1, 1000]", self.pool)

    def init(self) -> Arms:
        """Nobody is known."""
        return Arms(0, self.preferred, np.zeros(0), nobody("utility", "duration_s", "last"))

    def offers(self, n: int) -> int:
        """`pool` times as many as it invites."""
        return self.pool * n

    def pick(self, state: Arms, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """Some newcomers, and some of those who score well."""
        n, met = min(n, candidates.size), state.met.has(candidates)
        old, new = candidates[met], candidates[~met]
        share = max(self.explore_least, self.explore * self.explore_decay**state.round)
        exploit = min(old.size, n - min(new.size, int(share * n)))
        tried = rng.permutation(new)[: n - exploit]
        best = self._draw(self.scores(state, old), exploit, rng)
        return np.sort(np.concatenate([old[best], tried]))

    def scores(self, state: Arms, clients: Ints) -> Doubles:
        """The score of clients that were met, `(clients,)`."""
        if not clients.size:
            return np.zeros(0)
        met = state.met
        u, t, last = (met.of(clients, name) for name in ("utility", "duration_s", "last"))
        known = u[np.isfinite(u)]
        u = np.where(np.isfinite(u), u, known.mean() if known.size else 0.0)
        low, span = u.min(), max(u.max() - u.min(), FAINTEST)
        score = (np.minimum(u, _at(u, self.clip)) - low) / span + np.sqrt(self.bonus * log(state.round + 1) / last)
        quick = _at(met.columns["duration_s"], state.preferred)
        slow = t > quick
        score[slow] *= (quick / t[slow]) ** self.alpha
        return np.asarray(score, np.float64)

    def learn(self, state: Arms, outcome: Outcome) -> Arms:
        """The utility and duration of those who took part."""
        return self.remember(state, outcome, outcome.samples * outcome.losses)

    def remember(self, state: Arms, outcome: Outcome, utility: Doubles) -> Arms:
        """The same with utilities `(q,)` of another kind; those that are not finite are unknown."""
        utility, number = np.where(np.isfinite(utility), utility, np.nan), state.round + 1
        met = state.met.put(outcome.clients, utility=utility, duration_s=outcome.durations_s, last=number)
        silent = np.setdiff1d(outcome.round.invited, outcome.clients)
        waited = np.fmax(met.of(silent, "duration_s"), outcome.at_s - outcome.started_s)
        met = met.put(silent, duration_s=waited, last=number)
        mean = float(np.nanmean(utility)) if np.isfinite(utility).any() else 0.0
        history = np.append(state.history, mean)[-2 * self.pacer_rounds :]
        return self._paced(replace(state, round=number, history=history, met=met))

    def _paced(self, state: Arms) -> Arms:
        """The pacer: T grows when there is little left to learn from quick clients."""
        every = self.pacer_rounds
        if state.round < 2 * every or state.round % every:
            return state
        before, now = state.history[:every].sum(), state.history[every:].sum()
        share, change = state.preferred, abs(now - before)
        if change <= 0.1 * before:
            share = min(1.0, share + self.pacer_step)
        elif change >= 5 * before:
            share = max(min(self.pacer_step, share), share - self.pacer_step)
        return replace(state, preferred=share)

    def _draw(self, scores: Doubles, k: int, rng: np.random.Generator) -> Ints:
        """k of them, one after the other in proportion to their scores."""
        if not k:
            return np.zeros(0, np.int64)
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        admitted = (ranked >= self.cutoff * ranked[k - 1]) | (np.arange(order.size) < self.pool * k)
        order, weight = order[admitted], np.maximum(ranked[admitted], FAINTEST)
        luck = np.log1p(-rng.random(order.size)) / weight  # the k largest of log(u) / weight
        drawn: Ints = order[np.argsort(-luck, kind="stable")[:k]]
        return drawn


def _at(values: Doubles, share: float) -> float:
    """The value that this share of all lies below."""
    return float(np.sort(values)[min(int(values.size * share), values.size - 1)])
