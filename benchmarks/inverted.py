"""A control for the pruning benchmark: AutoFLIP upside down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.pruning import AutoFlip
from horae.pruning.common import anatomy_of, masked
from horae.pruning.guidance import Guidance
from horae.types import Ask, Floats, Held, Ints, Outcome, Submodel


@dataclass(frozen=True)
class Inverted:
    """The weights with the highest of AutoFLIP's scores are dropped, for good; everything else as there."""

    threshold: float = 0.7

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, Submodel]:
        """Explore, and drop the best."""
        like, anatomy = AutoFlip(threshold=self.threshold, optimizer="sgd", lr=0.1, epochs=1), anatomy_of(ask)
        guidance = Guidance.of(like.explore(params, buffers, None, ask))
        scores = guidance.scores(params, anatomy, like.mode, like.normalisation)
        submodel = masked(anatomy, -scores, self.threshold, like.floor)
        return np.where(submodel.keep, params, np.float32(0)), submodel

    def plan(self, state: Submodel, number: int, invited: Ints, ask: Ask) -> Held:
        """All clients hold the same weights."""
        return Held((state,))

    def learn(
        self, state: Submodel, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool
    ) -> tuple[Floats, Submodel]:
        """What was dropped stays zero."""
        return np.where(state.keep, params, np.float32(0)), state
