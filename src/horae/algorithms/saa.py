"""SAA: late updates weighted by how late they are and how far from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import check_lr
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class SAA:
    """FedAvg with late updates, as REFL weighs them.

        w_s = (1 - β) / (τ_s + 1) + β (1 - exp(-Λ_s / Λ_max)),    Λ_s = ‖(u_s + n ū) / (n + 1) - ū‖² / ‖ū‖²

    w_s: a late update's weight beside 1 for one in time, each times the samples its client holds. τ_s: rounds it is
    late; ū: the mean of the n updates in time; Λ_max: the largest Λ of this round. staleness: the latest that are used.
    lr: the server's learning rate.

    Source: Abdelmoniem et al. (EuroSys 2023), staleness-aware aggregation; β = .35 is its code's. Reading: Λ_s / Λ_max
    is ‖u_s - ū‖² over the largest of these, whatever n and ū are; 0 where nobody was in time. REFL counts every client
    once; with samples it is FedAvg when nobody is late.
    """

    beta: float = 0.35
    staleness: int = 5
    lr: float = 1.0

    def __post_init__(self) -> None:
        check_lr(self.lr)
        require(0 <= self.beta <= 1, "algorithm.beta", "be in [0, 1]", self.beta)
        require(0 <= self.staleness <= 10_000, "algorithm.staleness", "be in [0, 10000]", self.staleness)

    @property
    def weighs_by(self) -> str:
        """Its weights are its method."""
        return "staleness"

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i for those in time, n_i w_s for those who are late."""
        weights = np.ones(outcome.clients.size)
        tau = np.zeros(weights.size) if outcome.staleness is None else outcome.staleness
        late = tau > 0
        if late.any():
            far = self._far(outcome, ~late)[late]
            deviation = 1 - np.exp(-far / far.max()) if far.max() > 0 else far
            weights[late] = (1 - self.beta) / (tau[late] + 1) + self.beta * deviation
        return np.asarray(weights * outcome.samples, np.float64)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + lr · direction."""
        return params + np.float32(self.lr) * direction, None

    def _far(self, outcome: Outcome, fresh: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Doubles:
        """‖u - ū‖² of every update, `(q,)`; 0 where there is no ū."""
        updates = outcome.updates
        if not fresh.any():
            return np.zeros(len(updates))
        mean = updates.combine(fresh / fresh.sum())
        inner, square = updates.along(mean[None])[:, 0].astype(np.float64), float(mean.astype(np.float64) @ mean)
        return np.maximum(updates.norms() ** 2 - 2 * inner + square, 0.0)
