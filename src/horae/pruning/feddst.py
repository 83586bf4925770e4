"""FedDST: small weights go, and weights with large gradients come."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Literal

import numpy as np

from horae.errors import require
from horae.pruning.common import Scores, anatomy_of, floor_of, smallest
from horae.pruning.regrowth import Regrowing, Sparse, gradients
from horae.pure.streams import stream
from horae.types import Anatomy, Ask, Bools, Floats, Outcome


@dataclass(frozen=True)
class FedDst(Regrowing):
    """Every `every` rounds t until `stop`, k of the n living weights of each tensor make room for others.

        k = ⌊α/2 (1 + cos(π t / stop)) n⌋;   those with the smallest |w| go, those with the largest mean |g| come

    threshold: the share of prunable weights that go, exactly, and in all rounds. structured, floor: see `Random`; both
    are the first mask's. first: which that is, "random" or by "magnitude". alpha: α.

    Source: FedDST (arXiv 2112.09824). Reading: the server decides by the participants' gradients of one minibatch,
    where each client of the paper proposes a mask of its own; layers are first as sparse as chance has it, where the
    paper lets larger ones be sparser; a weight that goes and comes in one turn stays as it is.
    """

    every: int = 10
    stop: int = 300
    alpha: float = 0.05
    first: Literal["random", "magnitude"] = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stop >= 1, "pruning.stop", "be >= 1, a number of rounds", self.stop)
        require(0 < self.alpha <= 1, "pruning.alpha", "be in (0, 1]", self.alpha)

    def due(self, rounds: int) -> bool:
        """Until `stop`, where k would be 0."""
        return rounds < self.stop and super().due(rounds)

    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """Anything, or |w0|."""
        return np.abs(params) if self.first == "magnitude" else stream(seed, "pruning").random(anatomy.n_params)

    def turned(self, state: Sparse, params: Floats, outcome: Outcome, ask: Ask) -> Bools | None:
        """As many weights as before in each tensor."""
        rounds = outcome.round.number + 1
        found = gradients(params, outcome.buffers, outcome.clients, ask, "absolute", number=rounds)
        share = self.alpha / 2 * (1 + cos(pi * rounds / self.stop))
        return swapped(anatomy_of(ask), state, params, found.mean("absolute"), share) if found.clients.size else None


def swapped(anatomy: Anatomy, state: Sparse, params: Floats, gains: Scores, share: float) -> Bools:
    """The weights `(params,)` that live when a share of each tensor's makes room for those with the largest gains; of
    equal ones those of lower index go, and come.
    """
    keep = state.submodel.keep.copy()
    for tensor in anatomy.tensors:
        part = tensor.part
        may, live = state.may[part], keep[part] & state.may[part]
        k = floor_of(share, int(live.sum()))
        stay = live & ~smallest(np.abs(params[part]), k, live)
        come = smallest(-gains[part], k, may & ~stay)
        keep[part] = np.where(may, stay | come, keep[part])
    return keep
