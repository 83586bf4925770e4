"""Small weights go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.pruning.common import Scores
from horae.pruning.fixed import Fixed
from horae.types import Anatomy, Ask, Floats


@dataclass(frozen=True)
class Magnitude(Fixed):
    """The weights of the first model w0 with the smallest |w0| are dropped, for good. No client is asked.

    threshold: the share of prunable weights that go, exactly. structured: the share of channels or neurons taken out of
    each group first, those with the smallest Σ |w0|. floor: the share of each tensor that stays.

    Source: Han et al., Learning both Weights and Connections (NeurIPS 2015). Reading: one threshold for all layers, and
    at initialisation, where they prune a trained model.
    """

    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """|w0|."""
        return np.abs(params)
