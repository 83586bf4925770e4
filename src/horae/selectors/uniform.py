"""Uniform selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.types import Ints, Outcome


@dataclass(frozen=True)
class Uniform:
    """Every candidate has the same chance.

    Source: McMahan et al. (AISTATS 2017), Algorithm 1.
    """

    def init(self) -> None:
        """No state."""

    def offers(self, n: int) -> int:
        """It looks at no more candidates than it invites."""
        return n

    def pick(self, state: None, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """n distinct candidates at random, all of them if there are no more."""
        return candidates[np.sort(rng.permutation(candidates.size)[:n])]

    def learn(self, state: None, outcome: Outcome) -> None:
        """Nothing to learn."""
