"""Federated averaging."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import by_samples, check_lr
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
        check_lr(self.lr)

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + lr · direction."""
        return params + np.float32(self.lr) * direction, None
