"""How evenly accuracy is spread over clients (the quantities of Auxo's Table 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tail_means(values: NDArray[np.float64], share: float = 0.1) -> tuple[float, float]:
    """The means of the lowest and of the highest `share` of the values, at least one each; NaN without any.

    >>> tail_means(np.arange(20.0))
    (0.5, 18.5)
    """
    if values.size == 0:
        return float("nan"), float("nan")
    n = max(1, int(np.ceil(share * values.size)))
    ordered = np.sort(values)
    return float(ordered[:n].mean()), float(ordered[-n:].mean())


def adjusted_rand_index(a: NDArray[np.int64], b: NDArray[np.int64]) -> float | None:
    """Agreement of two groupings of the same clients: 1 the same, 0 as by chance; None without clients.

    Source: Hubert and Arabie (1985), through scikit-learn.
    """
    if a.size == 0:
        return None
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(a, b))
