"""How much less clients differ within K clusters of them than all together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from horae.errors import require
from horae.experiment import load
from horae.population.base import Population
from horae.population.heterogeneity import label_counts, some_clients
from horae.population.rows import Ragged
from horae.pure.streams import stream
from horae.types import Doubles

_CELLS = 512  # dimensions of a mean sample that are kept, by a random projection


@dataclass(frozen=True)
class ClientClusters:
    """K-means on what clients hold, for every population and every K; the arms are `NAME, K`.

    populations: names, or `fedscale:KIND` for those of FedScale. Clients are described by their share of each label
    and, where `features`, by the mean of their samples as well, both scaled to a total variance of 1. Measures:
    `heterogeneity`, the mean distance of a client to its cluster's centre over that to everybody's; `gap`, how much
    larger that quotient is for points as wide in every direction that fall into no groups.

    Source: Auxo (SoCC '23) 2.3 and Figure 3. Reading: distance to the centre; the gap is ours.
    """

    populations: tuple[str, ...]
    ks: tuple[int, ...] = (1, 2, 4, 8)
    features: bool = True

    def __post_init__(self) -> None:
        require(bool(self.populations), "probe.populations", "name one at least", list(self.populations))
        rising = bool(self.ks) and list(self.ks) == sorted(set(self.ks)) and self.ks[0] >= 1
        require(rising, "probe.ks", "be different numbers of clusters, rising", list(self.ks))
        for name in self.populations:
            _part(name)

    def missing(self, data_root: Path | None) -> str:
        """What the populations say is missing, the first of them."""
        parts = [_part(name) for name in self.populations]
        words = [str(part.missing(data_root) or "") for part in parts if hasattr(part, "missing")]
        return next((line for line in words if line), "")

    def measure(self, seed: int, data_root: Path | None) -> dict[str, dict[str, float]]:
        """Heterogeneity within clusters, by population and K."""
        found = {}
        for name in self.populations:
            people = _part(name).build(seed, data_root)
            x = described(people, seed, self.features)
            chance = without_groups(x, seed)
            for k in self.ks:
                own, dealt = within(x, k, seed), within(chance, k, seed)
                found[f"{name}, {k}"] = {"heterogeneity": own, "gap": dealt - own}
        return found


def described(people: Population, seed: int, features: bool) -> Doubles:
    """A row for each client: shares of labels, and the mean sample where it is asked for and samples are no tokens."""
    clients = some_clients(people, seed)
    rows = people.train.rows(clients)
    counts = label_counts(people, Ragged.of(rows)).astype(float)
    parts = [counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)]
    if features and people.x.dtype != np.int64 and people.x.ndim > 1:
        means = np.stack([people.x[own].mean(axis=0, dtype=np.float64).ravel() for own in rows])
        if means.shape[1] > _CELLS:
            means = means @ stream(seed, "client clusters").standard_normal((means.shape[1], _CELLS))
        parts.append(means)
    centred = [part - part.mean(axis=0) for part in parts]
    return np.hstack([part / max(np.sqrt((part**2).sum(axis=1).mean()), 1e-30) for part in centred])


def without_groups(x: Doubles, seed: int) -> Doubles:
    """As many points from the normal distribution that is as wide in every direction."""
    _, widths, ways = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    scores = stream(seed, "client clusters by chance").standard_normal((len(x), widths.size))
    return np.asarray((scores * widths / np.sqrt(len(x))) @ ways)


def within(x: Doubles, k: int, seed: int) -> float:
    """Mean distance to the nearest of K centres, over that to the one centre.

    >>> within(np.array([[0.0], [0.0], [4.0], [4.0]]), 2, 0)
    0.0
    """
    with threadpool_limits(limits=1):
        found: Any = KMeans(k, n_init=5, random_state=seed).fit(x)
    apart = np.linalg.norm(x - found.cluster_centers_[found.labels_], axis=1).mean()
    return float(apart / max(np.linalg.norm(x - x.mean(axis=0), axis=1).mean(), 1e-30))


def _part(name: str) -> Any:
    """The population of a name. Errors: ConfigError."""
    member, _, kind = name.partition(":")
    changes = {"population.name": member}
    changes |= {"population.kind": kind, "population.directory": kind} if kind else {}
    return load(None, changes).parts["population"]
