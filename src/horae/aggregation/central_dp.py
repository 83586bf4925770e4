"""Central differential privacy: the server clips the updates, and adds noise to their mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.pure.accountant import epsilon_of
from horae.types import Doubles, Floats, Updates


@dataclass(frozen=True)
class CentralDP:
    """The mean of the updates, each scaled to a length of at most C, plus Gaussian noise; in every cohort by itself.

        direction = 1/q Σ_i u_i min(1, C / ‖u_i‖₂) + N(0, (σ C / q)² I)

    clip: C. noise: σ; 0 is clipping alone, and no privacy. delta: at which ε is told. visits: the most participations
    of one client, in all cohorts together; 0 is any number. Weights do not count, for the noise hides each client
    equally well; weight 0 leaves a client's update out, and q is still all of them.

    The models are covered, if the server is trusted. Not covered: buffers (of batch normalisation), and what goes by
    updates or losses beside them: Auxo's messages and splits, selectors that read losses.

    Source: McMahan, Ramage, Talwar and Zhang (ICLR 2018), Algorithm 1. Reading: neighbours differ in what one client
    sent, which moves the sum by 2 C (with one client more or less it is C, and half the μ); q is the number that came;
    participations compose, in whatever cohort, and sampling earns nothing, for availability decides who comes.
    """

    clip: float = 1.0
    noise: float = 1.0
    delta: float = 1e-6
    visits: int = 0

    def __post_init__(self) -> None:
        require(1e-12 <= self.clip <= 1e12, "aggregation.clip", "be in [1e-12, 1e12]", self.clip)
        require(0 <= self.noise <= 1e6, "aggregation.noise", "be in [0, 1e6]", self.noise)
        require(0 < self.delta < 1, "aggregation.delta", "be in (0, 1)", self.delta, "1e-6 is usual")
        require(0 <= self.visits <= 10**6, "aggregation.visits", "be in [0, 1000000]", self.visits)

    @property
    def levels(self) -> bool:
        """All clients count alike."""
        return True

    def spent(self, visits: int) -> dict[str, float | int | None]:
        """σ, and the ε at δ of a client whose updates were used so often; null where there is no bound."""
        epsilon = epsilon_of(self.noise, self.delta, visits) if visits else None
        return {"clip": self.clip, "sigma": self.noise, "visits": visits, "epsilon": epsilon, "delta": self.delta}

    def combine(self, updates: Updates, weights: Doubles, rng: np.random.Generator) -> Floats:
        """The mean of clipped updates, noised, `(params,)`."""
        q, lengths = max(len(updates), 1), np.maximum(updates.norms(), 1e-300)
        mean = updates.combine(np.where(weights > 0, np.minimum(1.0, self.clip / lengths), 0.0) / q)
        if not self.noise:
            return mean
        drawn = rng.standard_normal(mean.size, np.float32)
        return mean + drawn * np.float32(self.noise * self.clip / q)
