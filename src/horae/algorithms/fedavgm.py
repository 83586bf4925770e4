"""FedAvgM: federated averaging with momentum at the server."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import by_samples, check_lr
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class FedAvgM:
    """FedAvg's direction Δ, with momentum.

        v ← β v + Δ
        w ← w + lr v

    beta: β; in the long run a step is lr / (1 - β) times FedAvg's.

    Source: Hsu, Qi and Brown (2019), section 4.3, where lr is 1. Reading: without Nesterov's look ahead.
    """

    lr: float = 1.0
    beta: float = 0.9

    def __post_init__(self) -> None:
        check_lr(self.lr)
        require(0 <= self.beta < 1, "algorithm.beta", "be in [0, 1)", self.beta)

    def init(self, params: Floats) -> Floats:
        """v = 0."""
        return np.zeros_like(params)

    def correction(self, state: Floats) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: Floats, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, Floats]:
        """One step with momentum, in float32."""
        v = np.float32(self.beta) * state + direction
        return params + np.float32(self.lr) * v, v
