"""Water-filling: as near to the population's mix as a view of at least so many samples can be."""

from __future__ import annotations

import numpy as np

from horae.alignment.common import NONE, floors
from horae.types import Doubles, Ints


def waterfill_counts(counts: Ints, target: Doubles, total: int, kappa: float = 1.0) -> Ints:
    """How many samples of each label a client trains on, `total` together if it has as many.

        q_c = min(κ n_c, λ g_c),      λ such that Σ_c q_c = Q

    With κ = 1 no view of Q samples is nearer to g. With κ > 1 a sample may come up to ⌈κ⌉ times. Labels with g_c = 0
    are left out, so that Q is at most Σ_{c: g_c > 0} ⌊κ n_c⌋.

    Source: ours, after upstream Halor's rule, which is κ = 1, λ = n_m / g_m, rounded down. Reading: κ n_c is rounded
    down, the rest by the largest remainder (of equal ones the first label).

    >>> waterfill_counts(np.array([10, 6, 0]), np.array([0.25, 0.5, 0.25]), 12).tolist()
    [6, 6, 0]
    """
    most = np.where(target > NONE, floors(kappa * counts.astype(np.float64)), 0)
    total = min(total, int(most.sum()))
    quota = np.zeros(counts.size, np.int64)
    if total > 0:
        asked = np.flatnonzero(most)
        caps, g = most[asked], target[asked]
        quota[asked] = rounded(filled(caps, g, level(caps, g, total)), caps, total)
    return quota


def filled(caps: Ints, target: Doubles, lam: float) -> Doubles:
    """min(u_c, λ g_c), not rounded."""
    some: Doubles = np.minimum(caps, lam * target)
    return some


def level(caps: Ints, target: Doubles, total: int) -> float:
    """λ with Σ_c min(u_c, λ g_c) = Q, for u_c, g_c > 0 and 0 < Q ≤ Σ u_c.

    The sum is piecewise linear in λ and bends where a label is full, at λ = u_c / g_c: find the piece, then solve it.

    >>> level(np.array([10, 6]), np.array([0.25, 0.5]), 12)
    24.0
    """
    full = caps / target
    order = np.argsort(full, kind="stable")
    u, g, full = caps[order], target[order], full[order]
    before = np.cumsum(u) - u  # in labels that are full sooner
    slope = np.cumsum(g[::-1])[::-1]  # of those that are not
    piece = min(int(np.searchsorted(before + full * slope, total)), u.size - 1)
    return float((total - before[piece]) / slope[piece])


def rounded(amounts: Doubles, caps: Ints, total: int) -> Ints:
    """Whole numbers that sum to `total`: rounded down, and one more where the remainder is largest and there is room.

    >>> rounded(np.array([1.2, 2.7, 1.1]), np.array([9, 9, 9]), 5).tolist()
    [1, 3, 1]
    """
    whole = floors(amounts)
    room = np.flatnonzero(whole < caps)
    first = np.argsort(whole[room] - amounts[room], kind="stable")
    whole[room[first][: total - int(whole.sum())]] += 1
    return whole
