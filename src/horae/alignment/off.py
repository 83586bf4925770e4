"""No alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.types import Arrangement, Ask, CohortTree, Doubles, Ints, News, Outcome, Path


@dataclass(frozen=True)
class Off:
    """A client trains on its samples as they are."""

    @property
    def tells(self) -> bool:
        """As ever in federated averaging."""
        return True

    def begin(self, seed: int) -> None:
        """No state."""

    def target(self, state: None, path: Path) -> None:
        """None."""

    def arrange(self, labels: Ints, target: Doubles, rng: np.random.Generator) -> Arrangement:
        """All samples, once each."""
        return Arrangement()

    def learn(self, state: None, outcome: Outcome, tree: CohortTree, ask: Ask) -> tuple[None, tuple[News, ...]]:
        """Nothing to learn."""
        return None, ()
