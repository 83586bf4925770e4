"""Does a cohort hold discernible groups? Two answers: explained variance (ours) and the paper's heterogeneity ratio.

On real updates the paper's ratio says the same of planted groups and of homogeneous clients, because nearly all of a
client's deviation is its own idiosyncrasy, which returns at every visit (docs/decisions/0005). What tells them apart
is the *shape*: on the line between two real groups the clients lie in two heaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from horae.pure.clusters import kmeans, nearest

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


NEAR = 0.08  # two halves of one cohort differ by less than this
BEYOND = 2  # how many finer groupings than the finest allowed are looked at: one alone may fail by chance


@dataclass(frozen=True)
class Partition:
    """k clusters of the members, `labels (members,)`, and the statistic of their least separate pair."""

    k: int
    labels: Ints
    statistic: float


@dataclass(frozen=True)
class Rule:
    """When a partition counts.

    threshold: the least separation of a pair in a large cohort; drop: how much less any finer grouping must have;
    min_members: the fewest members of a cluster; k_max: the finest grouping that is looked for.
    """

    threshold: float = 0.78
    drop: float = 0.1
    min_members: int = 10
    k_max: int = 8

    def limit(self, members: int) -> float:
        """The threshold for a cohort of that size, threshold + 2 / members: few clients look grouped by chance
        (decision 0005).
        """
        return self.threshold + 2 / members


def explained(gap: Doubles, within: Doubles) -> Doubles:
    """The share of variance on a line that is between two heaps rather than inside them, heaps counting equally.

        between / (between + within),   between = gap² / 4,   within = (variance a + variance b) / 2

    gap: distance of the heaps' means. A Gaussian cut in half explains 2/π = 0.637. Two points explain nothing.

    Reading: equal weights make the answer independent of how unequal the groups are.

    >>> explained(np.array([6.0]), np.array([1.0]))
    array([0.9])
    """
    between = gap**2 / 4
    return between / np.maximum(between + within, 1e-300)


def held_out_separation(x: NDArray[np.floating], k: int, rng: np.random.Generator, folds: int = 4) -> float:
    """How far apart the least separate pair of k clusters is, for clients that had no part in finding the clusters.

    Centres come from half of the clients; the other half is labelled by the nearest centre and projected, pair by
    pair, on the line through the two centres, where `explained` is read; the smallest pair counts. Halves are
    swapped, and the mean is taken over `folds` random halvings. x `(members, dims)`: each member's running mean
    update.
    """
    scores = []
    for _ in range(folds):
        order = rng.permutation(len(x))
        halves = order[: len(x) // 2], order[len(x) // 2 :]
        for fit, held in (halves, halves[::-1]):
            _, centres = kmeans(x[fit], k, rng)
            scores.append(_least_separate_pair(x[held], centres))
    told = [score for score in scores if not np.isnan(score)]
    return float(np.mean(told)) if told else 0.0


def best_partition(x: NDArray[np.floating], rule: Rule, k_most: int, rng: np.random.Generator) -> Partition:
    """How many groups the members fall into, and which; k = 1 with the best failing statistic where they do not.

    Groups are discernible when every pair of clusters is separate, statistic(K) >= limit, *and* looking for more
    finds none: statistic(K) - statistic(K') >= drop for every K' > K. A continuum (label skew, say) is as separable
    in five as in two, and is left whole. If there are more groups than k_most children are allowed, it is the largest
    K <= k_most whose pairs are separate.
    """
    x, limit = principal(x), rule.limit(len(x))
    ks = range(2, min(rule.k_max + BEYOND, len(x) // 4) + 1)
    scores = {k: held_out_separation(x, k, rng, folds=1) for k in ks}
    if max(scores.values(), default=0.0) > limit - NEAR:  # worth a closer look
        scores = {k: held_out_separation(x, k, rng) for k in ks}
    floor = max(scores.values(), default=0.0)
    beyond = {k: max((scores[j] for j in ks if j > k), default=0.0) for k in ks}
    found = (k for k in ks if k <= rule.k_max)
    elbows = [k for k in found if scores[k] >= limit and scores[k] - beyond[k] >= rule.drop]
    if not elbows:
        return Partition(1, np.zeros(len(x), np.int64), floor)
    for k in range(min(max(elbows), k_most), 1, -1):
        labels, _ = kmeans(x, k, rng)
        if scores[k] >= limit and np.bincount(labels, minlength=k).min() >= rule.min_members:
            return Partition(k, labels, scores[k])
    return Partition(1, np.zeros(len(x), np.int64), scores[max(elbows)])


def principal(x: NDArray[np.floating]) -> Doubles:
    """The same points, turned so that they need no more coordinates than there are points: `(n, min(n, dims))`.

    Distances stay.
    """
    centred: Doubles = np.asarray(x, np.float64) - np.asarray(x, np.float64).mean(axis=0)
    if len(x) >= centred.shape[1]:
        return centred
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    turned: Doubles = left * scale
    return turned


def heterogeneity_ratio(x: NDArray[np.floating], labels: Ints, k: int) -> float:
    """The paper's J: RMS distance to the own cluster's centre over RMS distance to the common centre; NaN if unknown.

        sqrt( Σ_k Σ_{i∈k} ‖x_i - C_k‖² / (n - K)  /  ( Σ_i ‖x_i - C‖² / (n - 1) ) )

    Source: Auxo Eq. 1 and 4.4 (partition at 1/√K). Reading: unbiased, RMS and not squared (decision 0005).
    """
    known = labels >= 0
    points, owner = np.asarray(x, np.float64)[known], labels[known]
    n = len(points)
    if n <= k or np.unique(owner).size < k:
        return float("nan")
    inside = sum(((points[owner == c] - points[owner == c].mean(axis=0)) ** 2).sum() for c in range(k))
    spread = ((points - points.mean(axis=0)) ** 2).sum()
    return float(np.sqrt((inside / (n - k)) / (spread / (n - 1)))) if spread > 0 else float("nan")


def _least_separate_pair(x: NDArray[np.floating], centres: Doubles) -> float:
    """The smallest `explained` of all pairs of centres, for points labelled by the nearest centre.

    NaN where a heap has fewer than two points.
    """
    k = len(centres)
    member = (nearest(x, centres)[None, :] == np.arange(k)[:, None]).astype(np.float64)  # (k, n)
    sizes = member.sum(axis=1)
    if sizes.min() < 2:
        return float("nan")
    first, second = np.triu_indices(k, 1)
    places = x @ (centres[second] - centres[first]).T  # (n, pairs), along each pair's line
    means = member @ places / sizes[:, None]
    spreads = np.maximum(member @ places**2 / sizes[:, None] - means**2, 0.0)
    pair = np.arange(first.size)
    within = (spreads[first, pair] + spreads[second, pair]) / 2
    return float(explained(means[second, pair] - means[first, pair], within).min())
