"""Upstream's rule: the largest subset whose labels are mixed like the population's."""

from __future__ import annotations

import numpy as np

from horae.alignment.common import NONE, floors
from horae.types import Doubles, Ints


def exact_counts(counts: Ints, target: Doubles) -> Ints:
    """How many samples of each label a client trains on, so that its labels are mixed as the population's are.

        m = argmax_{c ∈ C} g_c / p_c,      q_c = min(n_c, ⌊g_c / g_m · n_m⌋) for c ∈ C,      C = {c: n_c ≥ 1}

    m is the label that the client has least of, measured by g; it sets the size. A label that the client lacks stays
    missing; one with g_c = 0 is left out.

    Source: upstream Halor's `custom_partition2`. Reading: of equal g_c / p_c the first is m, which changes nothing; a
    client without a label that the population has is left with nothing here (`Halor` says what becomes of it).

    >>> exact_counts(np.array([10, 6, 0]), np.array([0.25, 0.5, 0.25])).tolist()
    [3, 6, 0]
    """
    asked = np.flatnonzero((counts > 0) & (target > NONE))
    quota = np.zeros(counts.size, np.int64)
    if asked.size:
        n, g = counts[asked], target[asked]
        m = int(np.argmax(g / n))
        quota[asked] = np.minimum(n, floors(g / g[m] * n[m]))
    return quota
