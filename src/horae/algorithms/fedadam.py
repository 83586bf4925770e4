"""FedAdam: Adam at the server."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import Adaptive
from horae.types import Floats


@dataclass(frozen=True)
class FedAdam(Adaptive):
    """FedAvg's direction Δ, taken through Adam.

        m ← β1 m + (1 - β1) Δ
        v ← β2 v + (1 - β2) Δ²
        w ← w + lr m / (√v + τ)

    Parameters alone are optimised; buffers are averaged. v starts at τ².

    Source: Reddi et al. (ICLR 2021), Algorithm 2. Reading: no bias correction, as there (Flower corrects); the clients
    are weighted by their samples, as in FedAvg.
    """

    def second(self, v: Floats, direction: Floats, beta2: np.float32) -> Floats:
        """β2 v + (1 - β2) Δ²."""
        return beta2 * v + (np.float32(1.0) - beta2) * direction * direction
