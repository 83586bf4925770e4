"""What several algorithms share: checks of their numbers, FedAvg's weights, the moments of adaptive server steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class Moments:
    """First and second moment of the server's direction, `(params,)` each."""

    m: Floats
    v: Floats


def check_lr(lr: float) -> None:
    """Refuse a server learning rate that is none."""
    require(0 < lr <= 1000, "algorithm.lr", "be > 0 and <= 1000", lr)


def by_samples(outcome: Outcome) -> Doubles:
    """n_i, the samples each participant holds."""
    return outcome.samples.astype(float)


@dataclass(frozen=True)
class Adaptive:
    """A server optimiser with two moments, which says how the second one moves."""

    lr: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        check_lr(self.lr)
        require(0 <= self.beta1 < 1, "algorithm.beta1", "be in [0, 1)", self.beta1)
        require(0 <= self.beta2 < 1, "algorithm.beta2", "be in [0, 1)", self.beta2)
        require(1e-9 <= self.tau <= 1000, "algorithm.tau", "be >= 1e-9 and <= 1000", self.tau)

    def second(self, v: Floats, direction: Floats, beta2: np.float32) -> Floats:
        """v after this direction, `(params,)`, in float32."""
        raise NotImplementedError

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
        """w + lr m / (√v + τ), in float32."""
        b1 = np.float32(self.beta1)
        m = b1 * state.m + (np.float32(1.0) - b1) * direction
        v = self.second(state.v, direction, np.float32(self.beta2))
        step: Floats = (np.float32(self.lr) * m / (np.sqrt(v) + np.float32(self.tau))).astype(np.float32)
        return params + step, Moments(m, v)
