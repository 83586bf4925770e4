"""Samples at random, to clients of unequal size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.population.partitioners.common import count, cut, quotas
from horae.population.rows import Ragged
from horae.types import Doubles, Ints


@dataclass(frozen=True)
class Linear:
    """Sizes that grow as 1, 2, 3, ...; the last client holds most."""

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        return _grown(labels.size, np.arange(1.0, count(labels.size, owners, clients) + 1), rng)


@dataclass(frozen=True)
class Square:
    """Sizes that grow as 1, 4, 9, ...; the last client holds most."""

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        return _grown(labels.size, np.arange(1.0, count(labels.size, owners, clients) + 1) ** 2, rng)


@dataclass(frozen=True)
class Exponential:
    """Sizes that grow as e, e², e³, ...; the last client holds most: the last three 95 % of all."""

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        return _grown(labels.size, np.exp(np.arange(1.0 - count(labels.size, owners, clients), 1)), rng)


def _grown(samples: int, shares: Doubles, rng: np.random.Generator) -> Ragged:
    """Samples by lot: one to everybody, the others in proportion to shares."""
    return cut(rng.permutation(samples), 1 + quotas(shares, samples - shares.size, rng))
