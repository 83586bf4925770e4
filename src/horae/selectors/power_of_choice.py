"""Power-of-choice: the largest losses of a few that are asked."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from horae.errors import require
from horae.types import Ints, Measured, Outcome


@dataclass(frozen=True)
class PowerOfChoice:
    """d candidates at random fetch the model and say their loss; the n largest are invited.

        d = ⌈choice · n⌉

    Those asked pay for a download and a pass over their samples, and the round waits for the slowest of them. Where
    there are no more than n candidates nobody is asked.

    Source: Cho, Wang and Joshi (AISTATS 2022), π_pow-d. Reading: the d are drawn evenly and not by their share of all
    samples, which the server does not know; a loss that is not finite comes last. n is what is invited, over-commitment
    included.
    """

    choice: float = 2.0

    def __post_init__(self) -> None:
        require(1 <= self.choice <= 1000, "selector.choice", "be in [1, 1000]", self.choice, "1 is uniform selection")

    def init(self) -> None:
        """No state."""

    def offers(self, n: int) -> int:
        """d."""
        return ceil(self.choice * n)

    def pick(self, state: None, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """Without losses: n at random."""
        return np.sort(rng.permutation(candidates)[:n])

    def pick_by_loss(
        self, state: None, candidates: Ints, n: int, now_s: float, rng: np.random.Generator, losses: Measured
    ) -> Ints:
        """The n largest losses of d."""
        asked = self.pick(state, candidates, self.offers(n), now_s, rng)
        if not 0 < n < asked.size:
            return asked[:n]
        found = losses(asked)
        order = np.argsort(np.where(np.isfinite(found), -found, np.inf), kind="stable")
        return np.sort(asked[order[:n]])

    def learn(self, state: None, outcome: Outcome) -> None:
        """Nothing to learn: losses are asked anew."""
