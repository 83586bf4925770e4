"""Which weights go: exact numbers of them, by scores, whatever the scores are."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import require
from horae.types import Anatomy, Ask, Bools, Doubles, Layers, Submodel

Scores = NDArray[Any]


def anatomy_of(ask: Ask) -> Anatomy:
    """What the model is made of."""
    found: Anatomy = ask(Layers(), charge=False)
    return found


def floor_of(share: float, n: int) -> int:
    """⌊share · n⌋, without what binary fractions do to it.

    >>> int(0.29 * 100), floor_of(0.29, 100)
    (28, 29)
    """
    return int(share * n + 1e-9)


def prunable(anatomy: Anatomy) -> Bools:
    """The weights that may be dropped one by one: those of layers but the last; never biases, norms, embeddings.

    Source: AutoFLIP. Reading: few and dear, these stay, and so does the classifier, whose outputs a client may lack
    the samples for.
    """
    may = np.zeros(anatomy.n_params, bool)
    for tensor in anatomy.tensors:
        may[tensor.part] = tensor.kind == "weight"
    return may


def smallest(scores: Scores, k: int, among: Bools) -> Bools:
    """The k smallest scores `(params,)` among some; of equal ones those of lower index.

    >>> smallest(np.array([3.0, 1.0, 1.0, 0.0]), 2, np.array([True, True, True, False]))
    array([False,  True,  True, False])
    """
    chosen = np.zeros(scores.size, bool)
    places = np.flatnonzero(among)
    if k <= 0 or not places.size:
        return chosen
    if k >= places.size:
        chosen[places] = True
        return chosen
    values = scores[places]
    edge = np.partition(values, k - 1)[k - 1]
    below = values < edge
    chosen[places[below]] = True
    chosen[places[values == edge][: k - int(below.sum())]] = True
    return chosen


def exact_mask(anatomy: Anatomy, scores: Scores, drop: int, floor: float, among: Bools) -> Bools:
    """The weights `(params,)` that live when exactly `drop` of those among some go, those with the smallest scores.

    floor: the share of each tensor's weights that stay, its best. Fewer go where the floors leave no more.
    """
    free = among.copy()
    for tensor in anatomy.tensors:
        here = among[tensor.part]
        stay = ceil(floor * np.count_nonzero(here))
        if stay:
            free[tensor.part] = here & smallest(scores[tensor.part], int(here.sum()) - stay, here)
    return ~smallest(scores, drop, free)


def living_units(anatomy: Anatomy, scores: Scores, share: float) -> Bools:
    """The units that live: ⌊(1 - share) n⌋ of a group's n, one at least, whose weights' scores have the largest sum."""
    worth, alive = anatomy.worth(scores), np.ones(anatomy.n_units, bool)
    for g, group in enumerate(anatomy.groups):
        mine = worth[anatomy.units_of(g)]
        gone = group.n - max(1, floor_of(1 - share, group.n))
        alive[anatomy.units_of(g)] = ~smallest(mine, gone, np.ones(group.n, bool))
    return alive


def masked(anatomy: Anatomy, scores: Scores, sparsity: float, floor: float = 0.0, structured: float = 0.0) -> Submodel:
    """⌊sparsity · N⌋ of the N prunable weights dropped: whole units first, a share of each group, then the rest singly.

    Where the units hold more than that, no others go.
    """
    may = prunable(anatomy)
    drop = floor_of(sparsity, int(np.count_nonzero(may)))
    keep = np.ones(anatomy.n_params, bool)
    if structured:
        keep = anatomy.living(living_units(anatomy, np.where(may, scores, 0), structured))
        drop -= int(np.count_nonzero(may & ~keep))
    return Submodel(keep & exact_mask(anatomy, scores, drop, floor, may & keep))


def normalised(anatomy: Anatomy, scores: Scores, how: str) -> Doubles:
    """Each tensor's scores by themselves: "minmax" to [0, 1], "robust" by median and quartiles.

        minmax   (g - min g) / (max g - min g)          robust   (g - median g) / (q75 g - q25 g)

    Where the divisor is 0 there is nothing to tell apart: minmax gives 0 or 1 as the constant is 0 or not, robust the
    difference itself.
    """
    out = np.asarray(scores, np.float64).copy()
    for tensor in anatomy.tensors:
        own = out[tensor.part]
        if how == "minmax":
            low, wide = own.min(), own.max() - own.min()
            out[tensor.part] = (own - low) / wide if wide > 0 else np.float64(low > 0)
        else:
            quarter, middle, three = np.percentile(own, (25, 50, 75))
            out[tensor.part] = (own - middle) / (three - quarter if three > quarter else 1.0)
    return out


def check_sparsity(field: str, value: float) -> None:
    """Refuse a share of weights that cannot be dropped."""
    require(0 <= value < 1, f"pruning.{field}", "be in [0, 1), the share of weights that go", value)


def check_units(anatomy: Anatomy, structured: float) -> None:
    """Refuse to take out units where the model has none to take."""
    remedy = "set pruning.structured = 0, or use mlp, cnn, two-cnn or a resnet"
    fine = structured == 0 or bool(anatomy.groups)
    require(fine, "pruning.structured", "be 0 for a model without channels or neurons to take out", structured, remedy)
