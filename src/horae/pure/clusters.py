"""K-means for a few hundred points: all restarts at once, in milliseconds, the same for the same generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

RESTARTS = 10
ITERATIONS = 50


def kmeans(x: NDArray[np.floating], k: int, rng: np.random.Generator) -> tuple[Ints, Doubles]:
    """Labels `(n,)` and centres `(k, dims)` of least within-cluster variance, of ten starts by k-means++.

    x `(n, dims)`, n >= k. A cluster that runs empty keeps its centre. Clusters are numbered by the first row they hold.

    Source: Lloyd (1982); Arthur and Vassilvitskii (2007) for the starts.
    """
    points = np.asarray(x, np.float64)
    points = points - points.mean(axis=0)
    centres = _starts(points, k, rng)
    member, labels = np.zeros((RESTARTS, k, len(points))), np.full((RESTARTS, len(points)), -1)
    np.put_along_axis(member, centres[:, :, None], 1.0, axis=2)  # at first a cluster is the point it starts from
    for _ in range(ITERATIONS):
        gaps = _gaps_inside(points, member)
        found = gaps.argmin(axis=1)
        if np.array_equal(found, labels):
            break
        labels = found
        now = (labels[:, None, :] == np.arange(k)[None, :, None]).astype(np.float64)
        member = np.where(now.any(axis=2, keepdims=True), now / np.maximum(now.sum(axis=2, keepdims=True), 1), member)
    spread = np.take_along_axis(gaps, labels[:, None, :], axis=1).sum(axis=(1, 2))
    best = int(spread.argmin())
    order = _by_first_row(labels[best], k)
    centre = member[best][order] @ points + np.asarray(x, np.float64).mean(axis=0)
    return np.argsort(order)[labels[best]].astype(np.int64), centre


def nearest(x: NDArray[np.floating], centres: Doubles) -> Ints:
    """The index of the nearest centre of each row, `(n,)`; ties go to the first."""
    closest: Ints = _gaps(np.asarray(x, np.float64), centres[None])[0].argmin(axis=1)
    return closest


def _starts(points: Doubles, k: int, rng: np.random.Generator) -> Ints:
    """k-means++: the next centre is a point drawn by its squared distance to those there are, `(restarts, k)`."""
    n, own = len(points), (points**2).sum(axis=1)
    chosen = rng.integers(n, size=(RESTARTS, 1))
    weight = np.full((RESTARTS, n), np.inf)
    for _ in range(1, k):
        last = chosen[:, -1]
        weight = np.minimum(weight, np.maximum(own - 2 * (points[last] @ points.T) + own[last][:, None], 0.0) + 1e-300)
        ladder = weight.cumsum(axis=1)
        dart = rng.random((RESTARTS, 1)) * ladder[:, -1:]
        nxt = np.minimum((ladder < dart).sum(axis=1), n - 1)
        chosen = np.concatenate([chosen, nxt[:, None]], axis=1)
    return chosen


def _gaps_inside(points: Doubles, member: Doubles) -> Doubles:
    """Squared distances of all points to weighted means of points: `(restarts, k, n)`.

    member `(restarts, k, n)`: the weights of each mean, which sum to one.
    """
    means = member.reshape(-1, len(points)) @ points
    crossed = (means @ points.T).reshape(member.shape)
    own = (means**2).sum(axis=1).reshape(*member.shape[:2], 1)
    gaps: Doubles = (points**2).sum(axis=1) - 2 * crossed + own
    return gaps


def _gaps(points: Doubles, centres: Doubles) -> Doubles:
    """Squared distances, `(restarts, n, k)`."""
    crossed = np.tensordot(centres, points, axes=(2, 1)).transpose(0, 2, 1)
    gaps: Doubles = (points**2).sum(axis=1)[None, :, None] - 2 * crossed + (centres**2).sum(axis=2)[:, None, :]
    return gaps


def _by_first_row(labels: Ints, k: int) -> Ints:
    first = [int(np.flatnonzero(labels == c)[0]) if (labels == c).any() else labels.size for c in range(k)]
    order: Ints = np.argsort(first, kind="stable")
    return order
