"""SSFL: one minibatch at every client says which weights matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.pruning.common import Scores
from horae.pruning.fixed import Fixed
from horae.pruning.regrowth import gradients, heard
from horae.types import Anatomy, Ask, Floats


@dataclass(frozen=True)
class Ssfl(Fixed):
    """Before the first round clients tell the gradient of one minibatch at the first model w0, and the weights that it
    hardly touches are dropped, for good.

        score_j = mean_k |g_kj w0_j|

    threshold: the share of prunable weights that go, exactly. structured: the share of channels or neurons taken out of
    each group first, those with the smallest sums. floor: the share of each tensor that stays. explorers: the share of
    clients that tell.

    Source: SSFL (arXiv 2405.09037); the score is SNIP's (arXiv 1810.02340). Reading: clients count the same, whatever
    they hold; biases, norms and the last layer stay; weight decay is part of g.
    """

    explorers: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.explorers <= 1, "pruning.explorers", "be in (0, 1], a share of the clients", self.explorers)

    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """mean |g| |w0|. Errors: ConfigError where no client's gradient is finite."""
        found = gradients(params, buffers, None, ask, "absolute", share=self.explorers)
        heard(found.clients.size)
        return np.abs(params.astype(np.float64)) * found.mean("absolute")
