"""FTFA: federated averaging, then each client tunes the model on its own samples."""

from __future__ import annotations

from dataclasses import dataclass

from horae.algorithms.common import by_samples
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome, Tuning


@dataclass(frozen=True)
class FTFA:
    """FedAvg; a client is tested on its cohort's model after `steps` local steps of its own.

        w_i = w - lr Σ_k g_i(w_k),    k = 1 ... steps

    lr: of these steps; 0 is that of training.

    Source: Cheng, Chadha and Duchi (2021), "Fine-tuning is fine in federated learning". Reading: a few steps of
    training's mini-batches, where the paper tunes to the minimum. It happens when a client is tested, which stands for
    once after training: no byte, and on no ledger.
    """

    steps: int = 5
    lr: float = 0.01

    def __post_init__(self) -> None:
        require(1 <= self.steps <= 10_000, "algorithm.steps", "be in [1, 10000]", self.steps)
        require(0 <= self.lr <= 1000, "algorithm.lr", "be in [0, 1000]", self.lr, "0 is the learning rate of training")

    @property
    def tuning(self) -> Tuning:
        """So many steps from the cohort's model, whenever it is tested."""
        return Tuning(self.steps, self.lr)

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """Local training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + direction."""
        return params + direction, None
