"""The coordinate-wise trimmed mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.aggregation.common import blocks, counted
from horae.errors import require
from horae.types import Doubles, Floats, Updates


@dataclass(frozen=True)
class TrimmedMean:
    """In every coordinate the mean of what is left without the ⌊share · n⌋ least and as many greatest.

    share: β of the paper; more than the share of clients that may lie. Weights do not count, for a client could claim
    any number of samples; weight 0 leaves a client out.

    Source: Yin, Chen, Ramchandran and Bartlett (ICML 2018), Algorithm 1, option II.
    """

    share: float = 0.2

    def __post_init__(self) -> None:
        require(0 <= self.share < 0.5, "aggregation.share", "be in [0, 0.5)", self.share, "it is cut at both ends")

    @property
    def levels(self) -> bool:
        """All clients count alike."""
        return True

    def combine(self, updates: Updates, weights: Doubles, rng: np.random.Generator) -> Floats:
        """The trimmed mean of each coordinate, `(params,)`."""
        who = counted(weights)
        n, found = int(who.sum()), []
        cut = int(self.share * n + 1e-9)  # 0.29 x 100 is 28.999...
        for part in blocks(updates, who):
            if cut:
                part.partition((cut, n - cut - 1), axis=1)
            found.append(part[:, cut : n - cut].mean(axis=1))
        middle: Floats = np.concatenate(found)
        return middle
