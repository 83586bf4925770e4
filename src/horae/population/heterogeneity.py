"""How much clients differ: in their labels, in how many samples they have, in the samples themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from horae.population.base import Population
from horae.population.rows import Ragged
from horae.pure.streams import stream
from horae.types import UNKNOWN, Doubles, Ints

MOST_CLIENTS, MOST_EACH = 2000, 40  # clients that are looked at, by lot; samples of each whose features are
DIMENSIONS, SHUFFLES, TENTHS = 32, 5, 10


def heterogeneity(people: Population, seed: int = 0) -> dict[str, Any]:
    """What can be said of how clients differ, from their training samples, ready for JSON.

    label_tv: ½ Σ_c |p_i(c) - p(c)| over clients, mean and quantiles; 0 is alike, near 1 is one rare label each; what
    sizes alone would bring about is by_chance. size_gini: 0 where all have equally many samples, near 1 where one has
    all. features: see `feature_shift`. Labels of a regression are tenths of its values.
    """
    clients = some_clients(people, seed)
    train = Ragged.of(people.train.rows(clients))
    counts = label_counts(people, train)
    return {
        "clients_looked_at": int(clients.size),
        "label_tv": {**_spread(total_variation(counts)), "by_chance": _tv_by_chance(counts, seed)},
        "size_gini": round(gini(train.sizes), 4),
        "features": feature_shift(people, train, seed),
    }


def some_clients(people: Population, seed: int) -> Ints:
    """All clients, or MOST_CLIENTS of them by lot, in order."""
    if people.clients <= MOST_CLIENTS:
        return np.arange(people.clients)
    drawn = stream(seed, "heterogeneity clients").integers(0, people.clients, 2 * MOST_CLIENTS)
    return np.unique(drawn)[:MOST_CLIENTS]


def label_counts(people: Population, train: Ragged) -> Ints:
    """How often each label occurs in each row of `train`, `(rows, classes)`."""
    y, classes, owners = people.y[train.indices], people.classes, train.owners
    if people.task == "regression":
        edges = np.unique(np.quantile(y, np.linspace(0, 1, TENTHS + 1)[1:-1]))
        y, classes = np.searchsorted(edges, y, "right"), edges.size + 1
    if y.ndim > 1:
        owners, y = np.repeat(owners, y.shape[1]), y.ravel()
    asked = y != UNKNOWN
    places = owners[asked] * classes + y[asked]
    return np.bincount(places, minlength=len(train) * classes).reshape(len(train), classes)


def total_variation(counts: Ints) -> Doubles:
    """½ Σ_c |p_i(c) - p(c)| of each row of label counts, p that of all rows together.

    >>> total_variation(np.array([[2, 0], [0, 2]])).tolist()
    [0.5, 0.5]
    """
    mix = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    far: Doubles = 0.5 * np.abs(mix - counts.sum(axis=0) / max(counts.sum(), 1)).sum(axis=1)
    return far


def gini(sizes: Ints) -> float:
    """Σ_ij |n_i - n_j| / (2 k Σ n) of k sizes.

    >>> gini(np.array([5, 5])), gini(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    ordered, k = np.sort(sizes), sizes.size
    return float((2 * np.arange(1, k + 1) - k - 1) @ ordered / max(k * ordered.sum(), 1))


def feature_shift(people: Population, train: Ragged, seed: int) -> dict[str, float]:
    """How far clients' mean samples lie apart, against what the same sizes give where samples are dealt by chance.

    distance: mean over clients of ‖m_i - m‖, of at most MOST_EACH samples each, in 32 random directions that are scaled
    to unit variance. ratio: distance over that of SHUFFLES shuffles; 1 is chance. ratio_within_labels: the same after
    each label's mean is taken off, so that label skew alone gives 1; classification only. What labels mean is not seen.
    """
    rng = stream(seed, "heterogeneity samples")
    held = Ragged.of(rng.permutation(train.row(i))[:MOST_EACH] for i in range(len(train)))
    points = embedded(people, held.indices, seed)
    out = _against_chance(points, held, seed)
    if people.task == "classification":
        y = people.y[held.indices]
        sums = np.zeros((people.classes, points.shape[1]))
        np.add.at(sums, y, points)
        centred = points - (sums / np.maximum(np.bincount(y, minlength=people.classes), 1)[:, None])[y]
        out["ratio_within_labels"] = _against_chance(centred, held, seed)["ratio"]
    return out


def embedded(people: Population, rows: Ints, seed: int) -> Doubles:
    """Samples as points `(n, 32)`: random projections, of tokens the mean of a random vector each, 0 left out."""
    x = people.x[rows]
    if x.dtype.kind in "iu" and people.scale is None:
        table = stream(seed, "heterogeneity tokens").standard_normal((int(x.max(initial=0)) + 1, DIMENSIONS))
        table[0] = 0.0
        flat, points = x.reshape(len(x), -1), np.zeros((len(x), DIMENSIONS))
        for column in flat.T:
            points += table[column]
        points /= np.maximum((flat != 0).sum(axis=1, keepdims=True), 1)
    else:
        flat = x.reshape(len(x), -1).astype(np.float32)
        plane = stream(seed, "heterogeneity plane").standard_normal((flat.shape[1], DIMENSIONS)).astype(np.float32)
        points = (flat @ plane).astype(np.float64)
    spread = points.std(axis=0)
    scaled: Doubles = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def _against_chance(points: Doubles, held: Ragged, seed: int) -> dict[str, float]:
    rng, who = stream(seed, "heterogeneity shuffles"), held.owners
    found = _apart(points, who, held.sizes)
    chance = float(np.mean([_apart(points, rng.permutation(who), held.sizes) for _ in range(SHUFFLES)]))
    ratio = found / chance if chance > 1e-12 else 1.0
    return {"distance": round(found, 4), "by_chance": round(chance, 4), "ratio": round(ratio, 4)}


def _apart(points: Doubles, who: Ints, sizes: Ints) -> float:
    """Mean distance of the clients' means from the mean of all."""
    sums = np.stack([np.bincount(who, weights=column, minlength=sizes.size) for column in points.T], axis=1)
    means = sums / np.maximum(sizes, 1)[:, None]
    return float(np.linalg.norm(means - points.mean(axis=0), axis=1).mean())


def _tv_by_chance(counts: Ints, seed: int) -> float:
    """The mean total variation of clients of the same sizes whose labels are drawn from all labels alike."""
    rng, p = stream(seed, "heterogeneity labels"), counts.sum(axis=0) / max(counts.sum(), 1)
    return round(float(total_variation(rng.multinomial(counts.sum(axis=1), p)).mean()), 4)


def _spread(values: Doubles) -> dict[str, float]:
    names = ("q10", "median", "q90")
    quantiles = dict(zip(names, np.quantile(values, (0.1, 0.5, 0.9)).round(4).tolist(), strict=True))
    return {"mean": round(float(values.mean()), 4), **quantiles}
