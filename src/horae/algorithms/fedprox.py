"""FedProx: clients are held back near the model they started from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import by_samples, check_lr
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class FedProx:
    """FedAvg, whose clients minimise F_k(w) + μ/2 ‖w - w_t‖².

        local gradient = g + μ (w - w_t)

    mu: μ; 0 is FedAvg. lr: the server's learning rate.

    Source: Li et al. (MLSys 2020), Algorithm 2. Reading: every client takes the experiment's local steps, where the
    paper lets slow ones take fewer; clients are weighted by their samples and invited uniformly, where the paper weighs
    alike those that it draws by their samples.
    """

    mu: float = 0.1
    lr: float = 1.0

    def __post_init__(self) -> None:
        require(0 <= self.mu <= 1000, "algorithm.mu", "be in [0, 1000]", self.mu)
        check_lr(self.lr)

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """The pull μ (w - w_t)."""
        return Correction(prox=self.mu)

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + lr · direction."""
        return params + np.float32(self.lr) * direction, None
