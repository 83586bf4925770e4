"""FedYogi: an adaptive server optimiser whose second moment moves slowly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import Adaptive
from horae.types import Floats


@dataclass(frozen=True)
class FedYogi(Adaptive):
    """FedAvg's direction Δ, taken through Yogi.

        m ← β1 m + (1 - β1) Δ
        v ← v - (1 - β2) Δ² sign(v - Δ²)
        w ← w + lr m / (√v + τ)

    Parameters alone are optimised; buffers are averaged. v starts at τ².

    Source: Reddi et al. (ICLR 2021), Algorithm 2. Reading: no bias correction, as there; the clients are weighted by
    their samples, as in FedAvg.
    """

    def second(self, v: Floats, direction: Floats, beta2: np.float32) -> Floats:
        """v - (1 - β2) Δ² sign(v - Δ²)."""
        square = direction * direction
        moved: Floats = (v - (np.float32(1.0) - beta2) * square * np.sign(v - square)).astype(np.float32)
        return moved
