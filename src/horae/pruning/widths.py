"""Narrower models: the first units of every layer."""

from __future__ import annotations

from math import ceil

import numpy as np

from horae.errors import require
from horae.types import Anatomy, Bools


def first_units(anatomy: Anatomy, width: float) -> Bools:
    """The first ⌈width · n⌉ units of every group, one at least: `(n_units,)`."""
    chosen = np.zeros(anatomy.n_units, bool)
    for g, group in enumerate(anatomy.groups):
        start = anatomy.first[g]
        chosen[start : start + max(1, ceil(width * group.n - 1e-9))] = True
    return chosen


def check_groups(anatomy: Anatomy, name: str) -> None:
    """Refuse a model that has no widths."""
    remedy = "use mlp, cnn, two-cnn or a resnet, or another pruning"
    should = "have a model with channels or neurons to take out"
    require(bool(anatomy.groups), f"pruning.name = {name!r}", should, "a model without", remedy)
