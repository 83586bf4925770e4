"""What the loop will ask of a round's updates, where that can be said before anybody trains.

Then a round that is too large to hold is asked client by client (`horae.training.streamed`). What is not named here may
ask anything, and the updates are held for it: rules that compare clients or look at coordinates, algorithms whose
weights depend on what was learned, clusterings that keep updates, and components of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from horae.aggregation import Mean
from horae.algorithms import FTFA, FedAdam, FedAvg, FedAvgM, FedProx, FedYogi
from horae.alignment import Off
from horae.clustering import Auxo, Oracle, Single
from horae.pruning import Dense
from horae.selectors import Oort, PowerOfChoice, PyramidFL, Refl, Uniform
from horae.training import Wanted
from horae.types import Floats, Ints, Path, Plan

BY_SAMPLES = (FedAvg, FedAvgM, FedProx, FedAdam, FedYogi, FTFA)  # weights that are known beforehand
NORMS = (Uniform, Oort, Refl, PowerOfChoice, PyramidFL)  # read lengths, or nothing
NOTHING = (Single, Oracle)

Leaves = Callable[[], Mapping[Path, Floats]]


def foreseen(plan: Plan, samples: Ints, path: Path, leaves: Leaves) -> Wanted | None:
    """What will be asked of the updates of this cohort's round; None: anything.

    samples `(q,)`: what the server hears of its participants. leaves: all cohorts' models, by path. Exactly these
    classes, since a subclass may ask for more.
    """
    named = (
        type(plan.algorithm) in BY_SAMPLES
        and type(plan.aggregation) in (type(None), Mean)
        and type(plan.selector) in NORMS
        and type(plan.clustering) in (Auxo, *NOTHING)
        and type(plan.pruning) is Dense
        and type(plan.alignment) is Off
    )
    if not named or plan.aggregator is not None:
        return None
    weights, clustering = samples.astype(np.float64), plan.clustering
    if not isinstance(clustering, Auxo):
        return Wanted(weights)
    return Wanted(weights, clustering.dims, _ways(path, leaves()) if clustering.reward == "measured" else None)


def _ways(path: Path, models: Mapping[Path, Floats]) -> Floats | None:
    """From this cohort's model to the others', as `clustering.pull` asks for them: every leaf has a round in flight."""
    others = [models[other] - models[path] for other in sorted(models) if other != path]
    return np.stack(others) if others else None
