"""q-FedAvg: clients with a higher loss count for more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome

TINY = 1e-10  # no loss is less: F^(q-1) must be finite


@dataclass(frozen=True)
class QFedAvg:
    """The sum of the clients' losses F_k^(q+1) / (q+1) is minimised, so that accuracy is spread more evenly.

        Δ_k = F_k^q L (w - w_k)
        h_k = q F_k^(q-1) ‖L (w - w_k)‖² + L F_k^q,    L = 1 / local learning rate
        w ← w - Σ_k Δ_k / Σ_k h_k

    q: 0 is FedAvg that weighs all clients alike; the higher, the fairer and the slower.

    Source: Li, Sanjabi, Beirami and Smith (ICLR 2020), Algorithm 2. Reading: F_k is the client's mean loss over the
    round's local training, which costs no pass of its own, where the paper has the loss before it; clients are invited
    uniformly, where the paper draws them by their samples. L is 1 where no learning rate is known.
    """

    q: float = 1.0

    def __post_init__(self) -> None:
        require(0 <= self.q <= 10, "algorithm.q", "be in [0, 10]", self.q)

    @property
    def weighs_by(self) -> str:
        """Its weights are its method."""
        return "losses"

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """F_k^q, in units of the greatest; 0 for a loss that is not finite."""
        losses = _losses(outcome)
        return np.where(np.isfinite(outcome.losses), (losses / losses.max(initial=TINY)) ** self.q, 0.0)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + Σ F_k^q u_k / Σ (q F_k^(q-1) L ‖u_k‖² + F_k^q), u_k = w_k - w: the formula with L taken out."""
        weights, losses = self.weigh(outcome), _losses(outcome)
        smooth = 1.0 / outcome.lr if outcome.lr > 0 else 1.0
        h = weights * (1.0 + self.q * smooth * outcome.updates.norms() ** 2 / losses)
        return params + np.float32(weights.sum() / h.sum()) * direction, None


def _losses(outcome: Outcome) -> Doubles:
    """F_k, none of them 0."""
    losses: Doubles = np.maximum(np.where(np.isfinite(outcome.losses), outcome.losses, TINY), TINY)
    return losses
