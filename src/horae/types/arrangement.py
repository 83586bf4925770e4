"""What an alignment makes of a client's samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.types.values import Doubles, Ints


@dataclass(frozen=True)
class Arrangement:
    """A client's view of its own samples: which of them it trains on, and how much each counts.

    index `(view,)`: positions into the client's own samples, repeats allowed; None is all of them, once each. weights
    `(view,)`: of mean 1; None is 1 each.
    """

    index: Ints | None = None
    weights: Doubles | None = None

    def counts(self, labels: Ints, classes: int) -> Ints:
        """How many samples of each label the view holds, `(classes,)`. labels `(n,)`: the client's own.

        >>> Arrangement(np.array([0, 0, 2])).counts(np.array([1, 1, 0]), 3).tolist()
        [1, 2, 0]
        """
        return np.bincount(self._seen(labels), minlength=classes).astype(np.int64)

    def mass(self, labels: Ints, classes: int) -> Doubles:
        """The same with every sample counted by its weight; sums to the view's size.

        >>> Arrangement(weights=np.array([0.5, 0.5, 2.0])).mass(np.array([1, 1, 0]), 3).tolist()
        [2.0, 1.0, 0.0]
        """
        counted: Doubles = np.bincount(self._seen(labels), self.weights, minlength=classes).astype(np.float64)
        return counted

    def _seen(self, labels: Ints) -> Ints:
        return labels if self.index is None else labels[self.index]
