"""Ditto: beside the shared model each client trains one of its own, which is pulled back to the shared one."""

from __future__ import annotations

from dataclasses import dataclass

from horae.algorithms.common import by_samples
from horae.errors import require
from horae.types import Correction, Doubles, Floats, Outcome, Tuning


@dataclass(frozen=True)
class Ditto:
    """FedAvg for w; whoever takes part also goes on with a model v_i of its own, on which it is tested.

        v_i ← v_i - lr (g_i(v_i) + λ (v_i - w))

    v_i starts from the first w that the client sees; who never took part is tested on its cohort's model. lam: λ; 0 is
    training alone, a large one is w. steps: of v_i, in each participation. lr: of these; 0 is the round's. The second
    training takes a client's time; no byte.

    Source: Li, Hu, Beirami and Smith (ICML 2021), Algorithm 1. Reading: clients are weighted by their samples; w is the
    model of the cohort in which the client trains just then.
    """

    lam: float = 1.0
    steps: int = 5
    lr: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.lam <= 1000, "algorithm.lam", "be in [0, 1000]", self.lam)
        require(1 <= self.steps <= 10_000, "algorithm.steps", "be in [1, 10000]", self.steps)
        require(0 <= self.lr <= 1000, "algorithm.lr", "be in [0, 1000]", self.lr, "0 is the learning rate of training")

    @property
    def tuning(self) -> Tuning:
        """So many steps of the client's own model, in each participation."""
        return Tuning(self.steps, self.lr, prox=self.lam, remembered=True)

    def init(self, params: Floats) -> None:
        """No state."""

    def correction(self, state: None) -> Correction:
        """The shared model's training is not bent."""
        return Correction()

    def weigh(self, outcome: Outcome) -> Doubles:
        """n_i, the samples each participant holds."""
        return by_samples(outcome)

    def step(self, state: None, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, None]:
        """w + direction."""
        return params + direction, None
