"""FedBuff: asynchronous aggregation, with a buffer of updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.algorithms.common import check_lr
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome


@dataclass(frozen=True)
class FedBuff:
    """The server takes a step whenever K updates have come, whichever model they began from.

        w ← w + lr (1/K) Σ_i s(τ_i) Δ_i,    s(τ) = 1 / √(1 + τ)

    τ_i: how many steps the server has taken since client i fetched its model. K is the quorum; `overcommit` times as
    many clients are at work. staleness: the greatest τ that is used. lr: the server's learning rate.

    Source: Nguyen et al. (AISTATS 2022), Algorithm 1, and section 5 for s(τ). Reading: clients set out when the server
    takes a step, and not one by one; who goes offline before it is done is lost, and who would be staler than
    `staleness` is stopped and billed as a straggler.
    """

    lr: float = 1.0
    staleness: int = 10

    def __post_init__(self) -> None:
        check_lr(self.lr)
        require(1 <= self.staleness <= 10_000, "algorithm.staleness", "be in [1, 10000]", self.staleness)

    @property
    def weighs_by(self) -> str:
        """Its weights are its method."""
        return "staleness"

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """s(τ_i)."""
        late = np.zeros(outcome.clients.size) if outcome.staleness is None else outcome.staleness
        weights: Doubles = 1.0 / np.sqrt(1.0 + late)
        return weights

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """The direction, Σ s Δ / Σ s, times lr and the mean of s."""
        return params + np.float32(self.lr * self.weigh(outcome).mean()) * direction, None
