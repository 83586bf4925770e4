"""Masks that are drawn once, before the first round: what is left of the model, and stays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from horae.pruning.common import Scores, anatomy_of, check_sparsity, check_units, masked
from horae.types import Anatomy, Ask, Floats, Held, Ints, Outcome, Submodel


@dataclass(frozen=True)
class Fixed(ABC):
    """The weights with the lowest scores are dropped, for good.

    threshold: the share of prunable weights that go, exactly; 0 drops nothing. structured: the share of channels or
    neurons taken out of each group first; the rest of `threshold` is single weights. floor: the share of each tensor
    that stays.
    """

    threshold: float = 0.3
    structured: float = 0.0
    floor: float = 0.01

    def __post_init__(self) -> None:
        check_shares(self.threshold, self.structured, self.floor)

    def fits(self, anatomy: Anatomy) -> None:
        """Refuse units where there are none."""
        check_units(anatomy, self.structured)

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, Submodel | None]:
        """The model without what was dropped; with threshold and structured 0 nothing is asked."""
        if not self.threshold and not self.structured:
            return params, None
        anatomy = anatomy_of(ask)
        scores = self.scores(anatomy, params, buffers, seed, ask)
        submodel = masked(anatomy, scores, self.threshold, self.floor, self.structured)
        return alive(params, submodel), submodel

    def plan(self, state: Submodel | None, number: int, invited: Ints, ask: Ask) -> Held | None:
        """All clients hold the same weights."""
        return None if state is None else Held((state,))

    def learn(
        self, state: Submodel | None, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool
    ) -> tuple[Floats, Submodel | None]:
        """What was dropped stays zero."""
        return (params if state is None else alive(params, state)), state

    @abstractmethod
    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """What each weight is worth, `(params,)`."""


def alive(params: Floats, submodel: Submodel) -> Floats:
    """The model `(params,)` with zeros for the weights that do not live."""
    left: Floats = np.where(submodel.keep, params, np.float32(0))
    return left


def check_shares(threshold: float, structured: float, floor: float) -> None:
    """Refuse shares of weights or units that cannot be dropped or kept."""
    check_sparsity("threshold", threshold)
    check_sparsity("structured", structured)
    check_sparsity("floor", floor)
