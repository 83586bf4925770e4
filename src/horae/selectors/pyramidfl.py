"""PyramidFL: Oort by update norms, where quick clients train longer and less useful ones send less."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from horae.errors import require
from horae.selectors.met import Met, nobody
from horae.selectors.oort import Arms, Oort
from horae.types import Doubles, Ints, Outcome

OORT = Oort()


@dataclass(frozen=True)
class Tiers:
    """What PyramidFL knows in one cohort. work: of those who took part, their usual local `steps`, and the seconds that
    these took, `usual_s`.
    """

    arms: Arms
    work: Met


@dataclass(frozen=True)
class PyramidFL:
    """Oort with the gradient's norm for a loss, and with unequal work for those whom it invites.

        U_i = |B_i| ‖g_i‖
        local work_i  = 1 + min(most, β ⌊(T - t_i) / (t_i / K_i)⌋ / K_i)   times the usual, if t_i < T
        share dropped = low + (high - low) · rank_i / (m - 1)

    t_i: how long client i takes for its usual K_i local steps; T: the median t of the invited; rank_i: its place among
    the m invited that are known, by falling U, from 0. Who was not met works and sends as usual.

    Source: Li et al. (MobiCom 2022), section 4, and the authors' code. Reading: ‖g_i‖ is the norm of the update per
    step and unit of learning rate, for gradients are not sent, scaled up by √share where a share was sent. t_i holds
    computing and sending, since the server cannot tell them apart; after a round of e times the usual work it is the
    duration / e, so that a client is never told to work beyond T. The paper's T depends on all that were selected; the
    median keeps those with more work ahead of the round's end. What is dropped are coordinates at random, other
    ones in each round. Selection has Oort's default constants; low, high and β are our guesses.
    """

    beta: float = 1.0
    most: float = 10.0
    low: float = 0.0
    high: float = 0.5

    def __post_init__(self) -> None:
        require(0 <= self.beta <= 1, "selector.beta", "be in [0, 1]", self.beta, "0 is no extra work")
        require(0 <= self.most <= 100, "selector.most", "be in [0, 100]", self.most, "0 is no extra work")
        require(0 <= self.low <= self.high, "selector.low", f"be in [0, high = {self.high}]", self.low)
        require(self.high < 1, "selector.high", "be < 1", self.high, "who sends nothing need not train")

    def init(self) -> Tiers:
        """Nobody is known."""
        return Tiers(OORT.init(), nobody("steps", "usual_s"))

    def offers(self, n: int) -> int:
        """As many as Oort wants."""
        return OORT.offers(n)

    def pick(self, state: Tiers, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """As Oort does."""
        return OORT.pick(state.arms, candidates, n, now_s, rng)

    def efforts(self, state: Tiers, invited: Ints) -> tuple[Doubles, Doubles]:
        """More work for the quicker half, less to send for the less useful."""
        return self._work(state.work, invited), self._sent(state.arms.met, invited)

    def learn(self, state: Tiers, outcome: Outcome) -> Tiers:
        """Utilities, durations, and how long the usual work takes."""
        steps = np.ones(len(outcome.updates)) if outcome.steps is None else np.maximum(outcome.steps, 1)
        sent = np.ones(outcome.clients.size)
        if outcome.round.sent is not None:
            shares = dict(zip(outcome.round.invited.tolist(), outcome.round.sent.tolist(), strict=True))
            sent = np.array([shares.get(client, 1.0) for client in outcome.clients.tolist()])
        norms = outcome.updates.norms() / (steps * (outcome.lr or 1.0)) / np.sqrt(sent)
        arms = OORT.remember(state.arms, outcome, outcome.samples * norms)
        usual = state.work.of(outcome.clients, "steps")
        usual = np.where(np.isnan(usual), steps, usual)  # the first time, nobody was told to do more
        work = state.work.put(outcome.clients, steps=usual, usual_s=outcome.durations_s * usual / steps)
        return replace(state, arms=arms, work=work)

    def _work(self, work: Met, invited: Ints) -> Doubles:
        k, t = work.of(invited, "steps"), work.of(invited, "usual_s")
        known, effort = np.isfinite(t), np.ones(invited.size)
        k, t = k[known], t[known]
        slack = np.maximum(np.median(t) - t, 0.0) if t.size else t
        effort[known] += np.minimum(self.most, self.beta * np.floor(slack / (np.maximum(t, 1e-12) / k)) / k)
        return effort

    def _sent(self, met: Met, invited: Ints) -> Doubles:
        utility, share = met.of(invited, "utility"), np.ones(invited.size)
        known = np.flatnonzero(np.isfinite(utility))
        order = known[np.argsort(-utility[known], kind="stable")]
        share[order] -= self.low + (self.high - self.low) * np.arange(order.size) / max(order.size - 1, 1)
        return share
