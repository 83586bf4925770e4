"""SCAFFOLD: control variates against the drift of local training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import by_samples, check_lr
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Ints, Outcome


@dataclass(frozen=True)
class Scaffold:
    """Each client trains along g - c_i + c: its own usual gradient c_i is replaced by everybody's, c.

        c_i⁺ = c_i - c + (x - y_i) / (K lr_local)
        x ← x + lr Σ_i (n_i / Σ n) (y_i - x),    c ← c + max(|S| / N, follow) (mean_i c_i⁺ - c)

    y_i is the client's model after its K steps from x. A second vector travels down and up. lr: the server's learning
    rate. follow: how quickly c follows its participants, at least; 0 is the paper's c + (|S| / N) mean_i (c_i⁺ - c_i).

    Source: Karimireddy et al. (ICML 2020), Algorithm 1, option II. Reading: clients are weighted by their samples, as
    in FedAvg; N is all clients of the population, whatever the cohort. The paper's c is the mean of all c_i, which a
    cohort that has just split inherits from others: its model would go on along everybody's gradient, and its clients
    leave it. So c follows those who take part. A client sends c_i⁺, from which the server knows the update as it had
    been without c - c_i; that is what a clustering reads. For plain SGD: under local momentum or Adam (x - y_i) /
    (K lr) is no gradient.
    """

    lr: float = 1.0
    follow: float = 0.2

    def __post_init__(self) -> None:
        check_lr(self.lr)
        require(0 <= self.follow <= 1, "algorithm.follow", "be in [0, 1]", self.follow)

    @property
    def vectors(self) -> tuple[int, int]:
        """c travels down, c_i⁺ up."""
        return 1, 1

    def init(self, params: Floats) -> Floats:
        """c = 0."""
        return np.zeros_like(params)

    def correction(self, state: Floats) -> Correction:
        """c, for everybody."""
        return Correction(drift=state)

    def bend(self, correction: Correction, kept: Floats) -> Correction:
        """c - c_i, by row."""
        return Correction(drift=_c(correction) - kept)

    def keep(
        self, correction: Correction, kept: Floats, updates: Floats, steps: Ints, lr: float
    ) -> tuple[Floats, Floats]:
        """c_i⁺, kept and sent, by row. A client that took no step, or diverged, keeps what it had."""
        went = (steps > 0) & np.isfinite(updates).all(axis=1) & (lr > 0)
        per_step = np.float32(1.0) / (np.maximum(steps, 1) * max(lr, 1e-30)).astype(np.float32)
        change = np.where(went[:, None], -_c(correction) - updates * per_step[:, None], np.float32(0))
        return kept + change, kept + change

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: Floats, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, Floats]:
        """x + lr · direction, and c."""
        return params + np.float32(self.lr) * direction, self._followed(state, outcome)

    def _followed(self, c: Floats, outcome: Outcome) -> Floats:
        if outcome.extra is None or outcome.steps is None or not outcome.population:
            return c
        share = outcome.clients.size / outcome.population
        if self.follow:
            return c + np.float32(max(share, self.follow)) * (outcome.extra - c)
        per_step = 1 / (outcome.clients.size * np.maximum(outcome.steps, 1) * outcome.lr)
        return c - np.float32(share) * (c + outcome.updates.combine(per_step))


def _c(correction: Correction) -> Floats:
    assert correction.drift is not None  # `correction` of this algorithm always has one
    return correction.drift
