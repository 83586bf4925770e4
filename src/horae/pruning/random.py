"""A random mask: what any score has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from horae.pruning.common import Scores
from horae.pruning.fixed import Fixed
from horae.pure.streams import stream
from horae.types import Anatomy, Ask, Floats


@dataclass(frozen=True)
class Random(Fixed):
    """Random weights are dropped before the first round, for good: the same for the same seed.

    threshold: the share of prunable weights that go, exactly. structured: the share of channels or neurons taken out of
    each group first, random ones. floor: the share of each tensor that stays.

    Source: the random pruning that AutoFLIP (arXiv 2405.10271) is compared with. Reading: its code draws anew after
    each step of an optimiser, which is dropout; this is a mask.
    """

    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """Anything."""
        return stream(seed, "pruning").random(anatomy.n_params)
