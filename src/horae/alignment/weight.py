"""Weights: all samples stay, and count as much as the population's labels ask."""

from __future__ import annotations

import numpy as np

from horae.types import Doubles, Ints


def label_weights(counts: Ints, target: Doubles, cap: float) -> Doubles:
    """What one sample of each label counts, `(classes,)`, so that a client's labels weigh as the population's do.

        w_c = min(g_c / p_c, W), scaled so that Σ_c p_c w_c = 1

    Before that scaling a weight is at most W; after it, at most W / Σ_c min(g_c, W p_c), for what labels that the
    client lacks would have weighed goes to the others. A label that it lacks has weight 0.

    Source: ours; g_c / p_c corrects for a shift of label shares (Lipton et al., ICML 2018), and is cut at W.

    >>> label_weights(np.array([3, 1, 0]), np.array([0.5, 0.5, 0.0]), 5.0).round(3).tolist()
    [0.667, 2.0, 0.0]
    """
    held = counts > 0
    weights = np.zeros(counts.size)
    weights[held] = np.minimum(target[held] * counts.sum() / counts[held], cap)
    mean = float(weights @ counts) / max(int(counts.sum()), 1)
    scaled: Doubles = weights / mean if mean > 0 else held.astype(np.float64)
    return scaled
