"""Krum and Multi-Krum: the updates whose neighbours are near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.aggregation.common import counted
from horae.errors import require
from horae.types import Doubles, Floats, Ints, Updates


@dataclass(frozen=True)
class Krum:
    """The mean of the m updates with the least score; with m = 1, Krum.

        s(i) = Σ ‖V_i - V_j‖² over the n - f - 2 updates j ≠ i that are nearest to V_i

    f: how many clients may lie, at most; the promise holds for n > 2 f + 2. m: 0 is n - f, all but those that may lie.
    Where a round is too small for f, the nearest one is looked at. Weights do not count, for a client could claim any
    number of samples; weight 0 leaves a client out.

    Source: Blanchard, El Mhamdi, Guerraoui and Stainer (NeurIPS 2017), sections 4 and 6.
    """

    f: int = 3
    m: int = 0

    def __post_init__(self) -> None:
        require(0 <= self.f <= 10**6, "aggregation.f", "be in [0, 1000000]", self.f)
        require(0 <= self.m <= 10**6, "aggregation.m", "be in [0, 1000000]", self.m, "0 is all but f")

    @property
    def levels(self) -> bool:
        """All clients count alike."""
        return True

    def combine(self, updates: Updates, weights: Doubles, rng: np.random.Generator) -> Floats:
        """The mean of the chosen updates, `(params,)`."""
        chosen = self.chosen(updates.gram().astype(np.float64), np.flatnonzero(counted(weights)))
        shares = np.zeros(len(updates))
        shares[chosen] = 1.0 / chosen.size
        return updates.combine(shares)

    def chosen(self, gram: Doubles, who: Ints) -> Ints:
        """The rows whose mean is taken, in order, of the rows `who`; of equal scores the first."""
        n, lengths = who.size, np.diag(gram)[who]
        apart = np.maximum(lengths[:, None] + lengths[None, :] - 2 * gram[np.ix_(who, who)], 0.0)
        near = min(max(n - self.f - 2, 1), n - 1)
        np.fill_diagonal(apart, -1.0)  # itself comes first, and is not counted
        scores = np.sort(apart, axis=1)[:, 1 : 1 + near].sum(axis=1)
        m = min(self.m or max(n - self.f, 1), n)
        return np.sort(who[np.argsort(scores, kind="stable")[:m]])
