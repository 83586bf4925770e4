"""What several algorithms share: checks of their numbers, FedAvg's weights, the moments of adaptive server steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.types import Doubles, Floats, Outcome


@dataclass(frozen=True)
class Moments:
    """First and second moment of the server's direction, `(params,)` each."""

    m: Floats
    v: Floats


def check_lr(lr: float) -> None:
    """Refuse a server learning rate that is none."""
    require(0 < lr <= 1000, "algorithm.lr", "be > 0 and <= 1000", lr)


def check_adaptive(lr: float, beta1: float, beta2: float, tau: float) -> None:
    """Refuse numbers with which no adaptive step can be taken."""
    check_lr(lr)
    require(0 <= beta1 < 1, "algorithm.beta1", "be in [0, 1)", beta1)
    require(0 <= beta2 < 1, "algorithm.beta2", "be in [0, 1)", beta2)
    require(1e-9 <= tau <= 1000, "algorithm.tau", "be >= 1e-9 and <= 1000", tau)


def by_samples(outcome: Outcome) -> Doubles:
    """n_i, the samples each participant holds."""
    return outcome.samples.astype(float)


def adaptive_step(params: Floats, m: Floats, v: Floats, lr: float, tau: float) -> Floats:
    """w + lr m / (√v + τ), in float32."""
    step: Floats = (np.float32(lr) * m / (np.sqrt(v) + np.float32(tau))).astype(np.float32)
    return params + step
