"""FlexCFL (FedGroup): groups made once, from the directions of a first batch of clients' updates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from horae.clustering.contact import Groups, first_updates, means, parted, strangers, told, unit
from horae.clustering.lockstep import SharedRounds
from horae.errors import require
from horae.pure.clusters import kmeans
from horae.pure.streams import stream
from horae.types import ROOT, Ask, CohortTree, Doubles, Floats, Ints, Outcome, Practise, Stay, Verdict


@dataclass(frozen=True)
class FlexCfl(SharedRounds):
    """A first batch of clients trains the first model; K-means on the directions of their updates makes k groups.

        V = SVD(ΔW^T, m),   EDC_ij = cos(Δw_i, V_j),   newcomer n: argmax_j cos(Δw_n, Δw^(g_j))
        w^(g) ← (w^(g) + η_G Σ_{l≠g} w^(l) / ‖w^(l)‖) / (1 + η_G Σ_{l≠g} 1 / ‖w^(l)‖)

    k: groups. alpha: clients of the first batch per group. steps: of local training in a first contact, 0 for the
    experiment's. eta_g: how much of the other groups' models is mixed in after a round (η_G). Whoever was not in the
    first batch trains the same first model when it is met, and joins the nearest group. All of that is charged.

    Source: Duan et al., FedGroup (2021) and Flexible Clustered Federated Learning (TPDS 2022); m = k and the weights of
    η_G, which sum to one, as in the authors' code. Reading: Δw^(g) is the mean first update of the group, which does
    not move later; the groups are made when k clients are there. Not here: migration of clients whose data drift.
    """

    k: int = 4
    alpha: int = 20
    steps: int = 20
    eta_g: float = 0.0

    def __post_init__(self) -> None:
        require(2 <= self.k <= 255, "clustering.k", "be in [2, 255]", self.k)
        require(1 <= self.alpha <= 1000, "clustering.alpha", "be in [1, 1000]", self.alpha)
        require(0 <= self.steps <= 10_000, "clustering.steps", "be in [0, 10000]", self.steps)
        require(0 <= self.eta_g <= 100, "clustering.eta_g", "be in [0, 100]", self.eta_g)

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """The first batch, if there was none; then each newcomer's first update."""
        if tree.common is None:
            tree = self._begin(tree, ask)
        groups: Groups | None = tree.common
        if groups is None or not (new := strangers(groups.home, clients)).size:
            return tree
        reply = first_updates(ask, Practise(groups.params, groups.buffers, new, steps=self.steps))
        nearest = (unit(reply.updates.rows) @ unit(groups.centres).T).argmax(axis=1)
        return replace(tree, common=groups.place(reply.clients, nearest))

    def learn(self, state: Any, outcome: Outcome, tree: CohortTree) -> tuple[None, None]:
        """A round of training teaches nothing about who belongs here."""
        return None, None

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """Inter-group mixing."""
        if tree.common is None:
            return tree, [Stay(ROOT, float("nan"), self.k, f"no groups: fewer than {self.k} clients were there")]
        tree, news = told(tree)
        if self.eta_g:
            mixed = mix(np.stack([leaf.params for leaf in tree.leaves()]), self.eta_g)
            for leaf, params in zip(tree.leaves(), mixed, strict=True):
                tree = tree.put(replace(leaf, params=params))
        return tree, [*news]

    def _begin(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """Pre-training and the groups, each with the mean model of its clients."""
        root = tree[ROOT]
        reply = first_updates(ask, Practise(root.params, root.buffers, n=self.k * self.alpha, steps=self.steps))
        if reply.clients.size < self.k:
            return tree
        rows = reply.updates.rows
        labels, _ = kmeans(edc(rows, self.k), self.k, stream(0, "flexcfl", root.round))
        if np.unique(labels).size < self.k:
            return tree
        centres = means(rows, labels, self.k)
        tree = tree.split(ROOT, self.k, None)
        for leaf, centre in zip(tree.leaves(), centres, strict=True):
            tree = tree.put(replace(leaf, params=root.params + centre.astype(np.float32)))
        split = parted(reply.clients, labels, self.k, "by the directions of first updates")
        return replace(
            tree, common=Groups({}, root.params, root.buffers, centres, (split,)).place(reply.clients, labels)
        )


def edc(rows: Floats, m: int) -> Doubles:
    """Each update in as many coordinates as there are directions: its cosine to each, `(clients, m)`.

    rows `(clients, params)`. The directions are the m right singular vectors of the largest singular values, so that
    cos(Δw_i, V_j) = U_ij S_j / ‖Δw_i‖.

    Source: FedGroup, the Euclidean distance of decomposed cosine similarity.
    """
    left, scale, _ = np.linalg.svd(np.asarray(rows, np.float64), full_matrices=False)
    lengths = np.linalg.norm(np.asarray(rows, np.float64), axis=1, keepdims=True)
    cosines: Doubles = (left * scale)[:, :m] / np.maximum(lengths, 1e-300)
    return cosines


def mix(models: Floats, eta: float) -> Floats:
    """Each model with some of all others, which count eta over their length, `(k, params)`."""
    whole = models.astype(np.float64)
    weights = np.tile(eta / np.maximum(np.linalg.norm(whole, axis=1), 1e-300), (len(models), 1))
    np.fill_diagonal(weights, 1.0)
    mixed: Floats = (weights / weights.sum(axis=1, keepdims=True) @ whole).astype(np.float32)
    return mixed
