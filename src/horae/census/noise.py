"""Client-level noise, in shares: each member adds a little before it masks, and nobody sees less than the sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from horae.census.keys import Words, words

TAIL = 12  # standard deviations that are tabulated


def rounded_gaussian(sigma: float, count: int, key: bytes) -> NDArray[np.int64]:
    """Independent discrete Gaussians, P(x) ∝ exp(-x² / 2σ²), from a secret key.

    Source: Canonne, Kamath and Steinke (2020), for the distribution. Reading: drawn by inversion of a table of
    ± 12 σ with 53 bits, so that (ε, δ) claims hold up to a δ of about 1e-15 for each total.
    """
    if sigma <= 0:
        return np.zeros(count, np.int64)
    most = int(np.ceil(TAIL * sigma))
    weight = np.exp(-0.5 * (np.arange(-most, most + 1) / sigma) ** 2)
    below = np.cumsum(weight)
    uniform = (words(key, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.asarray(np.searchsorted(below, uniform * below[-1], side="right") - most, np.int64)


def scaled(counts: Words, most: int) -> Words:
    """Counts whose sum is at most `most`: in proportion, rounded down.

    >>> scaled(np.array([30, 10], np.uint64), 20)
    array([15,  5], dtype=uint64)
    """
    total = int(counts.sum())
    if total <= most:
        return counts
    return np.array([int(count) * most // total for count in counts], np.uint64)
