"""No alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.types import Ints


@dataclass(frozen=True)
class Off:
    """A client trains on its samples as they are."""

    def arrange(self, labels: Ints, rng: np.random.Generator) -> None:
        """All samples, once each."""
