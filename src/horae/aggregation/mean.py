"""The weighted mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.types import Doubles, Floats, Updates


@dataclass(frozen=True)
class Mean:
    """The mean of the updates, by the weights that the algorithm gives them: Σ_i weight_i update_i / Σ_i weight_i.

    Source: McMahan et al. (AISTATS 2017), Algorithm 1.
    """

    def combine(self, updates: Updates, weights: Doubles, rng: np.random.Generator) -> Floats:
        """The weighted mean, `(params,)`."""
        return updates.combine(weights)
