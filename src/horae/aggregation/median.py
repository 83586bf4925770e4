"""The coordinate-wise median."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.aggregation.common import blocks, counted
from horae.types import Doubles, Floats, Updates


@dataclass(frozen=True)
class Median:
    """In every coordinate the median of the updates: half of the clients must lie to move it far.

    Weights do not count, for a client could claim any number of samples; weight 0 leaves a client out. Of an even
    number of clients it is the mean of the two in the middle.

    Source: Yin, Chen, Ramchandran and Bartlett (ICML 2018), Algorithm 1, option I.
    """

    @property
    def levels(self) -> bool:
        """All clients count alike."""
        return True

    def combine(self, updates: Updates, weights: Doubles, rng: np.random.Generator) -> Floats:
        """The median of each coordinate, `(params,)`."""
        found = [np.median(part, axis=1, overwrite_input=True) for part in blocks(updates, counted(weights))]
        middle: Floats = np.concatenate(found)
        return middle
