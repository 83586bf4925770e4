"""Samples at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.population.partitioners.common import count, cut
from horae.population.rows import Ragged
from horae.types import Ints


@dataclass(frozen=True)
class Iid:
    """All samples, shuffled and cut into parts whose sizes differ by one at most."""

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        n = count(labels.size, owners, clients)
        return cut(rng.permutation(labels.size), labels.size // n + (np.arange(n) < labels.size % n))
