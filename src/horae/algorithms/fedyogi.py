"""FedYogi: an adaptive server optimiser whose second moment moves slowly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import Moments, adaptive_step, by_samples, check_adaptive
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class FedYogi:
    """FedAvg's direction Δ, taken through Yogi.

        m ← β1 m + (1 - β1) Δ
        v ← v - (1 - β2) Δ² sign(v - Δ²)
        w ← w + lr m / (√v + τ)

    Parameters alone are optimised; buffers are averaged. v starts at τ².

    Source: Reddi et al. (ICLR 2021), Algorithm 2. Reading: no bias correction, as there; the clients are weighted by
    their samples, as in FedAvg.
    """

    lr: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        check_adaptive(self.lr, self.beta1, self.beta2, self.tau)

    def init(self, params: Floats) -> Moments:
        """m = 0, v = τ²."""
        return Moments(np.zeros_like(params), np.full_like(params, self.tau**2))

    def correction(self, state: Moments) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: Moments, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, Moments]:
        """One Yogi step, in float32."""
        one, square = np.float32(1.0), direction * direction
        b1, b2 = np.float32(self.beta1), np.float32(self.beta2)
        m = b1 * state.m + (one - b1) * direction
        v: Floats = (state.v - (one - b2) * square * np.sign(state.v - square)).astype(np.float32)
        return adaptive_step(params, m, v, self.lr, self.tau), Moments(m, v)
