"""FeSEM: k centres among the clients' models, by expectation and maximisation (multi-center federated learning)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from horae.clustering.lockstep import Replies, SharedRounds, settled
from horae.errors import require
from horae.pure.clusters import kmeans, nearest
from horae.pure.streams import stream
from horae.types import ROOT, Ask, CohortTree, Path, Split, Stay, Verdict


@dataclass(frozen=True)
class Homes:
    """home: the leaf of each client that took part, by id."""

    home: Mapping[int, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class FeSem(SharedRounds):
    """Each participant belongs to the cohort whose model is nearest to the one that it trained.

        k_i = argmin_k ‖W_i - W̃_k‖₂,      W̃_k = mean of the W_i with k_i = k

    The first round's models, clustered by k-means, give the first centres; it is repeated until at least k clients
    came.

    Source: Xie, Long, Shen et al., Multi-center federated learning (2021), Algorithm 1. Reading: W̃_k is the cohort's
    model, whatever the server's rule; a client that moves takes its update along from the next round on; only those
    who took part are compared, with the centres after that round.
    """

    k: int = 4

    def __post_init__(self) -> None:
        require(2 <= self.k <= 255, "clustering.k", "be in [2, 255]", self.k)

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """E-step: each participant's nearest centre from now on. The M-step is the aggregation of the next round."""
        tree, replies = settled(tree)
        if not replies:
            return tree, []
        if tree.paths() == (ROOT,):
            return self._first(tree, replies[ROOT])
        home, leaves = dict(tree.common.home), tree.leaves()
        centres = np.stack([leaf.params for leaf in leaves]).astype(np.float64)
        for reply in replies.values():
            found = nearest(reply.params + reply.updates, centres)
            home |= {c: leaves[i].path for c, i in zip(reply.clients.tolist(), found.tolist(), strict=True)}
        return replace(tree, common=Homes(home)), []

    def _first(self, tree: CohortTree, reply: Replies) -> tuple[CohortTree, list[Verdict]]:
        """The root becomes k leaves, whose models are means of the first round's."""
        n = reply.clients.size
        if n < self.k:
            why = f"no split: {n} clients do not make {self.k} centres"
            return tree, [Stay(ROOT, float(n), float(self.k), why)]
        found, _ = kmeans(reply.updates, self.k, stream(0, "fesem", tree[ROOT].round))
        tree = tree.split(ROOT, self.k, None)
        for i, path in enumerate(tree.paths()):
            if (mine := found == i).any():
                shares = (reply.samples[mine] / max(reply.samples[mine].sum(), 1)).astype(np.float32)
                tree = tree.put(replace(tree[path], params=reply.params + shares @ reply.updates[mine]))
        home = {c: (i,) for c, i in zip(reply.clients.tolist(), found.tolist(), strict=True)}
        sizes = " + ".join(map(str, np.bincount(found, minlength=self.k)))
        split = Split(ROOT, float("nan"), float("nan"), f"split into {self.k}: the first centres, of {sizes} clients",
                      self.k, reply.clients, found)  # fmt: skip
        return replace(tree, common=Homes(home)), [split]
