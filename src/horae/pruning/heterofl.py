"""HeteroFL: slower devices train narrower models, which are parts of each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from horae.errors import require
from horae.pruning.common import anatomy_of
from horae.pruning.widths import check_groups, first_units
from horae.types import Anatomy, Ask, Capacity, Doubles, Floats, Held, Ints, Outcome, Speeds, Submodel

ASKED = 1000  # devices that the levels are measured on


@dataclass(frozen=True)
class Slices:
    """submodels: the whole model and its slices, from wide to narrow. cuts `(levels - 1,)`: ms per sample above which a
    device is of a level further down.
    """

    submodels: tuple[Submodel, ...]
    cuts: Doubles


@dataclass(frozen=True)
class HeteroFL:
    """A client of level p trains the first ⌈r_p n⌉ units of every group of n, and each weight is averaged over those
    who train it. The server's model is dense.

    levels: widths r, the first 1, each next one narrower. shares: of the population, from the fastest devices on.

    Source: HeteroFL (arXiv 2010.01264). Reading: a device's level follows from its speed, by the quantiles of a
    thousand devices, and stays; devices as fast as those at an edge are of the wider level, so that all train the whole
    model where all are equal. Without the paper's scaler, which divides what a narrow layer puts out by r while it is
    trained: all levels begin with the same weights, so that no first model has it folded in. Statistics of norms are
    averaged over all participants, and of a unit that a client lacks it sends those it got.
    """

    levels: tuple[float, ...] = (1.0, 0.5, 0.25)
    shares: tuple[float, ...] = (0.4, 0.3, 0.3)

    def __post_init__(self) -> None:
        narrower = all(a > b > 0 for a, b in pairwise(self.levels))
        fine = bool(self.levels) and self.levels[0] == 1 and narrower
        require(fine, "pruning.levels", "be widths that fall from 1 and stay above 0", list(self.levels))
        even, remedy = len(self.shares) == len(self.levels), "give each level one"
        require(even, "pruning.shares", f"be {len(self.levels)}, as many as pruning.levels", list(self.shares), remedy)
        whole = all(share > 0 for share in self.shares) and abs(sum(self.shares) - 1) < 1e-6
        require(whole, "pruning.shares", "be above 0 and sum to 1", list(self.shares))

    @property
    def uneven(self) -> bool:
        """Clients train different weights."""
        return len(self.levels) > 1

    def fits(self, anatomy: Anatomy) -> None:
        """Refuse a model without units."""
        check_groups(anatomy, "heterofl")

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, Slices]:
        """The whole model; devices tell how fast they are."""
        anatomy = anatomy_of(ask)
        check_groups(anatomy, "heterofl")
        known: Capacity = ask(Speeds(n=ASKED), charge=False)
        slowest = np.minimum(np.cumsum(self.shares[:-1]), 1)
        cuts = np.quantile(known.ms_per_sample, slowest, method="inverted_cdf")
        slices = tuple(Submodel(anatomy.living(first_units(anatomy, width))) for width in self.levels)
        return params, Slices(slices, np.asarray(cuts, np.float64))

    def plan(self, state: Slices, number: int, invited: Ints, ask: Ask) -> Held:
        """Each client's slice, by its device."""
        known: Capacity = ask(Speeds(invited), charge=False)
        return Held(state.submodels, np.searchsorted(state.cuts, known.ms_per_sample).astype(np.int64))

    def learn(
        self, state: Slices, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool
    ) -> tuple[Floats, Slices]:
        """Nothing to learn."""
        return params, state
