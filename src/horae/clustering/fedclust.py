"""FedClust: groups made once, from the final layer after a short warm-up (ICPP 2024)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from horae.clustering.contact import Groups, first_updates, means, parted, strangers, told, unit
from horae.clustering.lockstep import SharedRounds
from horae.errors import require
from horae.pure.clusters import nearest
from horae.types import ROOT, Ask, CohortTree, Doubles, Floats, Ints, Outcome, Practise, Stay, Updates, Verdict


@dataclass(frozen=True)
class FedClust(SharedRounds):
    """All clients that are there train the first model for a while and send its final layer; these are clustered from
    the bottom up, until no two clusters are nearer than λ. One cohort per cluster, each with the first model.

        D_ij = ‖θ_i - θ_j‖₂,      D(a, b) = mean of D_ij over i ∈ a, j ∈ b,      newcomer n: argmin_k ‖θ_n - mean θ_k‖₂

    last: the share of the weights, at the end of the vector, that is the final layer; 1 for a model of one layer.
    threshold: λ. k: clusters, whatever λ says; 0 is by λ. steps: of the warm-up, 0 for the experiment's. most: clients
    of the warm-up at most. Newcomers do the same warm-up when they are met. Training is charged whole, of the uploads
    the final layer.

    Source: Islam et al., ICPP 2024. Reading: θ_i is what the warm-up changed, at length one, so that λ in [0, 2] does
    not depend on the learning rate; linkage is by mean distance; a cluster's centre is that of the warm-up. The server
    knows a vector and no layers, hence `last`.
    """

    last: float = 1.0
    threshold: float = 1.15
    k: int = 0
    steps: int = 20
    most: int = 1000

    def __post_init__(self) -> None:
        require(0 < self.last <= 1, "clustering.last", "be in (0, 1]", self.last)
        require(0 < self.threshold <= 2, "clustering.threshold", "be in (0, 2]", self.threshold)
        require(self.k == 0 or 2 <= self.k <= 255, "clustering.k", "be 0 or in [2, 255]", self.k)
        require(0 <= self.steps <= 10_000, "clustering.steps", "be in [0, 10000]", self.steps)
        require(2 <= self.most <= 10_000, "clustering.most", "be in [2, 10000]", self.most)

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """The warm-up, if there was none; then that of each newcomer."""
        if tree.common is None:
            tree = self._begin(tree, ask)
        groups: Groups | None = tree.common
        if groups is None or not (new := strangers(groups.home, clients)).size:
            return tree
        reply = first_updates(ask, self._warm_up(groups.params, groups.buffers, new))
        return replace(tree, common=groups.place(reply.clients, nearest(self._final(reply.updates), groups.centres)))

    def learn(self, state: Any, outcome: Outcome, tree: CohortTree) -> tuple[None, None]:
        """A round of training teaches nothing about who belongs here."""
        return None, None

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """Nothing moves any more."""
        if tree.common is None:
            return tree, [Stay(ROOT, float("nan"), float("nan"), "no clusters: fewer than two clients were there")]
        tree, news = told(tree)
        return tree, [*news]

    def _begin(self, tree: CohortTree, ask: Ask) -> CohortTree:
        root = tree[ROOT]
        reply = first_updates(ask, self._warm_up(root.params, root.buffers, None))
        if reply.clients.size < max(2, self.k):
            return tree
        layers = self._final(reply.updates)
        labels = agglomerate(layers, self.threshold, self.k)
        k = int(labels.max()) + 1
        tree = tree.split(ROOT, k, None)
        split = parted(reply.clients, labels, k, "by the final layer after a warm-up")
        groups = Groups({}, root.params, root.buffers, means(layers, labels, k), (split,))
        return replace(tree, common=groups.place(reply.clients, labels))

    def _warm_up(self, params: Floats, buffers: Floats, clients: Ints | None) -> Practise:
        return Practise(params, buffers, clients, self.most, self.steps, sent=self.last)

    def _final(self, updates: Updates) -> Doubles:
        params = updates.rows.shape[1]
        return unit(updates.columns(slice(params - max(1, round(self.last * params)), params)))


def agglomerate(rows: Doubles, threshold: float, k: int = 0) -> Ints:
    """Clusters by mean distance from the bottom up, `(n,)`, numbered by the first row they hold.

    They are merged up to that distance, or until k are left (k > 0). rows `(n, dims)`, n >= 2.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # loading it takes as long as the command line's help

    joined = linkage(rows, "average")
    found = fcluster(joined, k, "maxclust") if k else fcluster(joined, threshold, "distance")
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    labels: Ints = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return labels
