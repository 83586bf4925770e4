"""What the rules of alignment share: counting labels, drawing samples, and how far a client is from the population.

Letters: n_c own samples of label c, n their sum, p_c = n_c / n, g_c the population's share (the target), q_c samples
of label c after.
"""

from __future__ import annotations

import numpy as np

from horae.errors import require
from horae.types import Doubles, Ints

NONE = 1e-12  # a share below is none: no census counts so many samples


def label_counts(labels: Ints, target: Doubles) -> Ints:
    """n_c: how many of a client's samples have each label, `(classes,)`. Errors: ConfigError if the target is none."""
    field = "the alignment's target"
    good = target.ndim == 1 and bool((target >= 0).all()) and abs(float(target.sum()) - 1) < 1e-6
    require(good, field, "be shares >= 0 that sum to 1", target, "count the labels again")
    fits = labels.size == 0 or (int(labels.min()) >= 0 and int(labels.max()) < target.size)
    require(fits, field, "have a share for each label", f"{target.size} shares", "count all labels, also those unseen")
    return np.bincount(labels, minlength=target.size).astype(np.int64)


def shares(amounts: Ints | Doubles) -> Doubles:
    """Amounts over their sum; zeros where there is nothing."""
    total = float(amounts.sum())
    part: Doubles = amounts / total if total > 0 else np.zeros(amounts.size)
    return part


def distance(p: Doubles, g: Doubles) -> float:
    """Total variation of two mixes of labels: 0 is the same mix, 1 nothing in common.

        TV(p, g) = ½ Σ_c |p_c - g_c| = 1 - Σ_c min(p_c, g_c)

    Reading: the right-hand form, which is 1 for a client that holds nothing (p = 0).

    >>> distance(np.array([1.0, 0.0]), np.array([0.5, 0.5])), distance(np.zeros(2), np.array([0.5, 0.5]))
    (0.5, 1.0)
    """
    return max(0.0, 1.0 - float(np.minimum(p, g).sum()))


def unfixable(labels: Ints, target: Doubles) -> float:
    """The population's share of labels that a client does not hold: no view of its samples comes nearer to g than this.

        Σ_{c: n_c = 0} g_c

    >>> unfixable(np.array([0, 0, 2]), np.array([0.5, 0.3, 0.2]))
    0.3
    """
    return float(target[label_counts(labels, target) == 0].sum())


def floors(values: Doubles) -> Ints:
    """Rounded down; what is a whole number but for the last bits of a double counts as that number.

    >>> floors(np.array([2.5, 2.9999999999999996])).tolist()
    [2, 3]
    """
    return np.floor(values * (1 + 1e-12) + 1e-9).astype(np.int64)


def drawn(labels: Ints, quota: Ints, rng: np.random.Generator) -> Ints:
    """Positions of q_c samples of each label, by lot, in order; where q_c > n_c all come equally often but for one.

    The same numbers are drawn whatever the quota. quota `(classes,)`.
    """
    order = np.lexsort((rng.random(labels.size), labels))  # by label, and by lot within a label
    counts = np.bincount(labels, minlength=quota.size)
    own = labels[order]
    rank = np.arange(labels.size) - (np.cumsum(counts) - counts)[own]
    times, rest = np.divmod(quota, np.maximum(counts, 1))
    return np.sort(np.repeat(order, times[own] + (rank < rest[own]))).astype(np.int64)
