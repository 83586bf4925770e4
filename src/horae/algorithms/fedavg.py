"""Federated averaging."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class FedAvg:
    """The server moves to the average of the clients' models, weighted by their samples.

        w ← w + lr Σ_i (n_i / Σ n) (w_i - w)

    lr: the server's learning rate; 1 is the plain average.

    Source: McMahan et al. (AISTATS 2017), Algorithm 1.
    """

    lr: float = 1.0

    def __post_init__(self) -> None:
        require(0 < self.lr <= 1000, "algorithm.lr", "be > 0 and <= 1000", self.lr)

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return outcome.samples.astype(float)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + lr · direction."""
        return params + np.float32(self.lr) * direction, None
