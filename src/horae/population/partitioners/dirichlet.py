"""Label proportions drawn from a Dirichlet distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.population.partitioners.common import count, gathered, mended, quotas
from horae.population.partitions import dirichlet_rows
from horae.population.rows import Ragged
from horae.types import Doubles, Ints


@dataclass(frozen=True)
class Dirichlet:
    """Each label's samples go to clients in proportions drawn from Dir(alpha); small alpha is skewed in label and size.

    min_partition_size: nobody has fewer. self_balancing: who has its fair share of all samples gets none of the labels
    that come after.

    Source: Yurochkin et al. (ICML 2019), as in flwr-datasets' DirichletPartitioner. Reading: where that one draws again
    until everybody has min_partition_size, perhaps for ever, this one moves samples from the richest to the poorest.
    """

    alpha: float = 0.3
    min_partition_size: int = 10
    self_balancing: bool = False

    def __post_init__(self) -> None:
        require(0 < self.alpha < np.inf, "population.partition.alpha", "be in (0, inf)", self.alpha, "raise it")
        field = "population.partition.min_partition_size"
        require(self.min_partition_size >= 1, field, "be >= 1", self.min_partition_size, "raise it")

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        n = count(labels.size, owners, clients)
        field, should = "population.partition.min_partition_size", f"be <= {labels.size // n}, the samples per client"
        require(self.min_partition_size * n <= labels.size, field, should, self.min_partition_size, "lower it")
        kinds = np.unique(labels)
        q = dirichlet_rows(np.full(n, np.clip(self.alpha, 1e-300, 1e300)), kinds.size, rng)
        who, sizes = np.empty(labels.size, np.int64), np.zeros(n, np.int64)
        for proportions, kind in zip(q, kinds, strict=True):
            mine = rng.permutation(np.flatnonzero(labels == kind))
            counts = quotas(self._open(proportions, sizes, labels.size / n), mine.size, rng)
            who[mine] = np.repeat(np.arange(n), counts)
            sizes += counts
        return gathered(mended(who, n, self.min_partition_size, rng), n)

    def _open(self, proportions: Doubles, sizes: Ints, fair: float) -> Doubles:
        """The proportions among those that still take samples; equal ones where nothing is left of them."""
        if not self.self_balancing:
            return proportions
        takes = sizes < fair
        left = np.where(takes, proportions, 0.0)
        return left if left.sum() > 0 else takes.astype(float)
