"""A smaller dense model: what any pruning has to beat at equal bytes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import sqrt

import numpy as np

from horae.pruning.common import anatomy_of, check_sparsity, floor_of, prunable
from horae.pruning.fixed import alive
from horae.pruning.widths import check_groups, first_units
from horae.types import Anatomy, Ask, Bools, Floats, Held, Ints, Outcome, Submodel


@dataclass(frozen=True)
class Slimmed:
    """width: the share of each group's units that are left. submodel: what they leave of the weights."""

    width: float
    submodel: Submodel


@dataclass(frozen=True)
class Slim:
    """A dense model that is narrower throughout: of every group the first units, at the width whose weights are nearest
    in number to those of a pruned model.

        w ← w √(fan-in / fan-in that is left)

    threshold: the share of prunable weights that the pruned model would drop.

    Source: none, it is a control. Reading: initial weights are drawn independently, so that the first units are as good
    as any; scaled, they are as if drawn for the smaller layers.
    """

    threshold: float = 0.3

    def __post_init__(self) -> None:
        check_sparsity("threshold", self.threshold)

    def fits(self, anatomy: Anatomy) -> None:
        """Refuse a model without units."""
        check_groups(anatomy, "slim")

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, Slimmed | None]:
        """The narrower model; with threshold 0 nothing is asked."""
        if not self.threshold:
            return params, None
        anatomy = anatomy_of(ask)
        check_groups(anatomy, "slim")
        target = anatomy.n_params - floor_of(self.threshold, int(prunable(anatomy).sum()))
        width = nearest_width(anatomy, target)
        submodel = Submodel(anatomy.living(first_units(anatomy, width)))
        told = "slim: width %.4f leaves %d weights where %d were aimed at"
        logging.getLogger(__name__).info(told, width, submodel.kept, target)
        return alive(rescaled(anatomy, params, submodel.keep), submodel), Slimmed(width, submodel)

    def plan(self, state: Slimmed | None, number: int, invited: Ints, ask: Ask) -> Held | None:
        """All clients hold the same weights."""
        return None if state is None else Held((state.submodel,))

    def learn(
        self, state: Slimmed | None, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool
    ) -> tuple[Floats, Slimmed | None]:
        """What was dropped stays zero."""
        return (params if state is None else alive(params, state.submodel)), state


def nearest_width(anatomy: Anatomy, target: int) -> float:
    """The width whose first units leave as nearly `target` weights as can be; of two as near the narrower."""
    widths = sorted({k / group.n for group in anatomy.groups for k in range(1, group.n + 1)})

    def left(i: int) -> int:
        return int(np.count_nonzero(anatomy.living(first_units(anatomy, widths[i]))))

    low, high = 0, len(widths) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if left(middle) <= target else (low, middle)
    return widths[low if abs(left(low) - target) <= abs(left(high) - target) else high]


def rescaled(anatomy: Anatomy, params: Floats, keep: Bools) -> Floats:
    """The weights `(params,)` as if drawn for the fan-in that is left; a layer's bias is drawn like its weights."""
    out, factors = params.copy(), {}
    for tensor in anatomy.tensors:
        if tensor.kind in ("weight", "classifier"):
            rows = keep[tensor.part].reshape(tensor.shape[0], -1)
            left = rows.sum() / max(np.count_nonzero(rows.any(axis=1)), 1)
            factors[_layer(tensor.name)] = sqrt(rows.shape[1] / left) if left else 1.0
    for tensor in anatomy.tensors:
        if tensor.kind in ("weight", "classifier", "bias"):
            out[tensor.part] *= np.float32(factors.get(_layer(tensor.name), 1.0))
    return out


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
