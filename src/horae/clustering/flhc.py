"""FL+HC: one agglomerative clustering of everybody's updates after a few rounds (Briggs, Fan and Andras 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from horae.clustering.lockstep import SharedRounds, settled
from horae.errors import require
from horae.types import ROOT, Ask, CohortTree, Doubles, Floats, Ints, Path, Practice, Practise, Split, Stay, Verdict

LATER = 1_000_000_000  # numbers of the rounds in which clients practise


@dataclass(frozen=True)
class Cut:
    """What the server of FL+HC knows.

    home: the leaf of each client that was met. params, buffers: the model that everybody practised with; centres
    `(k, dims)`: the mean update of each cluster. asked: calls so far.
    """

    home: Mapping[int, Path] = field(default_factory=dict)
    params: Floats | None = None
    buffers: Floats | None = None
    centres: Doubles | None = None
    asked: int = 0


@dataclass(frozen=True)
class FlHc(SharedRounds):
    """After `rounds` rounds of one global model w, everybody trains it once, and the updates are clustered from the
    bottom up: the two clusters that are nearest to each other are joined, until none are nearer than `threshold`.

        Δw_i = w_i - w,      P = linkage(Δw_1 ... Δw_n; metric)

    Each cluster then trains a model of its own, which begins as w. threshold: 0: until k clusters are left. reach: most
    clients that are asked; who is not there then, or not asked, trains w once when it is met first, and joins the
    cluster of the nearest mean update. dims: of the sketches of updates; shorter ones are kept as they are. With
    "cosine", updates are compared at length one.

    Source: Briggs, Fan and Andras, Federated learning with hierarchical clustering of local updates (IJCNN 2020),
    Algorithm 1. Reading: only those who are online can be asked, and the others are as above; the paper has everybody
    there.
    """

    rounds: int = 10
    linkage: Literal["single", "complete", "average", "ward"] = "ward"
    metric: Literal["l1", "l2", "cosine"] = "l2"
    threshold: float = 0.0
    k: int = 4
    reach: int = 4096
    dims: int = 4096

    def __post_init__(self) -> None:
        require(1 <= self.rounds <= 1_000_000, "clustering.rounds", "be in [1, 1000000]", self.rounds)
        require(0 <= self.threshold < float("inf"), "clustering.threshold", "be >= 0", self.threshold)
        require(2 <= self.k <= 255, "clustering.k", "be in [2, 255]", self.k)
        require(2 <= self.reach <= 10_000, "clustering.reach", "be in [2, 10000]", self.reach)
        require(2 <= self.dims <= 2**31, "clustering.dims", "be in [2, 2147483648]", self.dims)
        plain = self.linkage != "ward" or self.metric == "l2"
        require(plain, "clustering.metric", "be 'l2' where clustering.linkage is 'ward'", self.metric)

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """The root alone."""
        return replace(tree, common=Cut())

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """After the clustering, newcomers train the model of that moment once, and go to the nearest cluster."""
        cut: Cut | None = tree.common
        if cut is None or cut.params is None or cut.buffers is None or cut.centres is None:
            return tree
        new = np.array([c for c in clients.tolist() if c not in cut.home], np.int64)
        if not new.size:
            return tree
        work = Practise(cut.params, cut.buffers, new, number=LATER + cut.asked)
        found: Practice = ask(work)
        near = gaps(self._features(found), cut.centres, self.metric).argmin(axis=1)
        home = _homes(found.clients, near, len(cut.centres))
        return replace(tree, common=replace(cut, home={**cut.home, **home}, asked=cut.asked + 1))

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """After the last round of the global model: the clustering."""
        tree, replies = settled(tree)
        cut: Cut = tree.common or Cut()
        if not replies or cut.params is not None or tree[ROOT].round < self.rounds:
            return tree, []
        root = tree[ROOT]
        found: Practice = ask(Practise(root.params, root.buffers, n=self.reach, number=LATER + cut.asked))
        cut = replace(cut, asked=cut.asked + 1)
        if found.clients.size < self.k:
            why = f"no clustering yet: {found.clients.size} clients were there"
            return replace(tree, common=cut), [Stay(ROOT, float(found.clients.size), float(self.k), why)]
        return self._cut(tree, cut, found)

    def _cut(self, tree: CohortTree, cut: Cut, found: Practice) -> tuple[CohortTree, list[Verdict]]:
        """The root becomes a leaf for each cluster."""
        root, x = tree[ROOT], self._features(found)
        labels, height = agglomerated(x, self.linkage, self.metric, self.threshold, self.k)
        k = int(labels.max()) + 1
        centres = np.stack([x[labels == i].mean(axis=0) for i in range(k)])
        common = replace(
            cut, home=_homes(found.clients, labels, k), params=root.params, buffers=root.buffers, centres=centres
        )
        sizes = " + ".join(map(str, np.bincount(labels)))
        why = f"{self.linkage} linkage of {found.clients.size} updates, the last join at {height:.3g}, members {sizes}"
        if k == 1:
            return replace(tree, common=common), [Stay(ROOT, height, self.threshold, f"no split: {why}")]
        split = Split(ROOT, height, self.threshold, f"split into {k}: {why}", k, found.clients, labels)
        return replace(tree.split(ROOT, k, None), common=common), [split]

    def _features(self, practice: Practice) -> Doubles:
        x: Doubles = practice.updates.sketch(self.dims).astype(np.float64)
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30) if self.metric == "cosine" else x


def agglomerated(x: Doubles, linkage: str, metric: str, threshold: float, k: int) -> tuple[Ints, float]:
    """Clusters `(n,)` of rows by agglomeration, numbered by the first row they hold, and the height of the last join.

    x `(n, dims)`. threshold > 0: nothing is joined beyond it; 0: k clusters are left.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    joins = hierarchy.linkage(squareform(gaps(x, x, metric), checks=False), linkage)
    raw = hierarchy.fcluster(joins, *((threshold, "distance") if threshold > 0 else (k, "maxclust")))
    _, first, labels = np.unique(raw, return_index=True, return_inverse=True)
    made = joins[: len(x) - first.size, 2]
    return np.argsort(np.argsort(first))[labels].astype(np.int64), float(made[-1]) if made.size else 0.0


def gaps(x: Doubles, centres: Doubles, metric: str) -> Doubles:
    """The distance from each row to each centre, `(n, k)`. For "cosine" rows have length one: 1 - x · centre."""
    from scipy.spatial.distance import cdist

    if metric == "cosine":
        return np.asarray(np.maximum(1 - x @ centres.T, 0.0), np.float64)
    return np.asarray(cdist(x, centres, {"l1": "cityblock", "l2": "euclidean"}[metric]), np.float64)


def _homes(clients: Ints, cluster: Ints, k: int) -> dict[int, Path]:
    """The leaf of each client; the root where all are one cluster."""
    return {c: (i,) if k > 1 else ROOT for c, i in zip(clients.tolist(), cluster.tolist(), strict=True)}
