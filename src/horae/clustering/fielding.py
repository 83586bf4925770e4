"""Re-clustering under drift, by what labels clients hold (in the manner of Fielding)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from horae.clustering.contact import means
from horae.clustering.lockstep import Rows, SharedRounds
from horae.errors import require
from horae.pure.clusters import kmeans, nearest
from horae.pure.streams import stream
from horae.types import ROOT, Ask, CohortTree, Doubles, Ints, LabelCounts, Outcome, Path, Verdict

LEAST = 0.25  # of the silhouette: below there is no substantial structure (Kaufman and Rousseeuw, 1990)


@dataclass(frozen=True)
class Shares:
    """What the server knows: the share of each label by client.

    home: the leaf of each client, by id. centres `(k, classes)`: as they were when all clients were clustered last.
    counted: how often that was. moved: clients that changed their cluster by themselves since the last shared round.
    news: what happened since then.
    """

    home: Mapping[int, Path]
    shares: Rows
    centres: Doubles
    counted: int = 0
    moved: int = 0
    news: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Fielding(SharedRounds):
    """Clients tell how many samples of each label they hold; one whose shares changed goes to the nearest centre; all
    are clustered anew once a centre has moved too far.

        move: argmin_k ‖p_i - c_k‖₂;    all: max_k ‖c_k - c_k⁰‖₂ > τ · mean_{a<b} ‖c_a⁰ - c_b⁰‖₂

    c_k: mean of the members' shares now, c_k⁰: when all were clustered last. k_max: most clusters; their number is that
    of the best silhouette. tau: τ. The counts are sent, and charged, whenever a client comes. A new cluster's model is
    the mean of the models its clients had. It goes by labels, so that it sees neither rotations nor anything else that
    leaves the labels' shares as they are.

    Source: Li et al., Fielding (2024): the two kinds of moves, and τ = 1/3. Reading: K-means; the silhouette of fewer
    than 500 clients drawn at random; one cluster where the best is below 0.25; a client counts anew at every check-in
    and not only when it noticed a drift.
    """

    k_max: int = 8
    tau: float = 1 / 3

    def __post_init__(self) -> None:
        require(2 <= self.k_max <= 255, "clustering.k_max", "be in [2, 255]", self.k_max)
        require(0 < self.tau <= 100, "clustering.tau", "be in (0, 100]", self.tau)

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """The counts of those who came, and the moves that follow."""
        if not clients.size:
            return tree
        counts = ask(LabelCounts(clients))
        rows = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).astype(np.float32)
        known: Shares | None = tree.common
        if known is None:
            return self._cluster(replace(tree, common=Shares({}, Rows().put(clients, rows), rows[:0].astype(float))))
        changed = np.array([c not in known.home or not np.array_equal(known.shares.of(clients[i : i + 1])[0], rows[i])
                            for i, c in enumerate(clients.tolist())])  # fmt: skip
        known = self._moved(replace(known, shares=known.shares.put(clients, rows)), tree, clients[changed])
        tree = replace(tree, common=known)
        now = self._centres(known, tree)
        gap = float(np.linalg.norm(now - known.centres, axis=1).max())
        limit = (
            self.tau * spacing(known.centres) if len(known.centres) > 1 else self.tau * spacing(np.eye(rows.shape[1]))
        )
        return self._cluster(tree, gap, limit) if gap > limit else tree

    def learn(self, state: Any, outcome: Outcome, tree: CohortTree) -> tuple[None, None]:
        """A round of training teaches nothing about who belongs here."""
        return None, None

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """What happened since the last shared round."""
        if tree.common is None:
            return tree, []
        known: Shares = tree.common
        verdicts = list(known.news)
        if known.moved:
            why = f"{known.moved} clients whose labels changed went to another cluster"
            verdicts.append(Verdict(tree.paths()[0], float(known.moved), 0.0, why))
        return replace(tree, common=replace(known, news=(), moved=0)), verdicts

    def _moved(self, known: Shares, tree: CohortTree, clients: Ints) -> Shares:
        """Newcomers and clients whose shares changed go to the nearest centre."""
        if not clients.size:
            return known
        leaves = tree.paths()
        found = nearest(known.shares.of(clients), self._centres(known, tree))
        homes = {c: leaves[i] for c, i in zip(clients.tolist(), found.tolist(), strict=True)}
        moves = sum(known.home.get(c, path) != path for c, path in homes.items())
        return replace(known, home={**known.home, **homes}, moved=known.moved + moves)

    def _centres(self, known: Shares, tree: CohortTree) -> Doubles:
        """Each leaf's mean of its members' shares, or where it was if it has none: `(k, classes)`."""
        place = {path: i for i, path in enumerate(tree.paths())}
        labels = np.array([place.get(known.home.get(c, (-1,)), -1) for c in known.shares.clients.tolist()])
        rows = known.shares.rows.astype(np.float64)
        return np.stack([rows[labels == i].mean(axis=0) if (labels == i).any() else old
                         for i, old in enumerate(known.centres)])  # fmt: skip

    def _cluster(self, tree: CohortTree, gap: float = float("nan"), limit: float = float("nan")) -> CohortTree:
        """All clients that were met, clustered anew; each leaf's model is the mean of those that its clients had."""
        known: Shares = tree.common
        clients, rows = known.shares.clients, known.shares.rows.astype(np.float64)
        labels, k = best_k(rows, self.k_max, stream(0, "fielding", known.counted))
        before, leaves = tree.paths(), {}
        alone = before == (ROOT,)
        for group in range(k):
            had = [known.home.get(c, before[0]) for c in clients[labels == group].tolist()]
            shares = {path: had.count(path) / len(had) for path in before if path in had}
            leaves[ROOT if k == 1 and alone else (group,)] = shares
        tree = tree.recast(leaves)
        if tree.paths() != (ROOT,):
            tree = replace(tree, children={ROOT: max(k, tree.children.get(ROOT, 0))})
        paths = tree.paths()
        home = {c: paths[i] for c, i in zip(clients.tolist(), labels.tolist(), strict=True)}
        sizes = " + ".join(map(str, np.bincount(labels, minlength=k)))
        news = Verdict(paths[0], gap, limit, f"all clustered anew: {k} clusters, of {sizes} clients")
        centres = means(rows, labels, k)
        return replace(
            tree, common=replace(known, home=home, centres=centres, counted=known.counted + 1, news=(*known.news, news))
        )


def spacing(centres: Doubles) -> float:
    """The mean distance of two centres."""
    first, second = np.triu_indices(len(centres), 1)
    return float(np.linalg.norm(centres[first] - centres[second], axis=1).mean())


def best_k(rows: Doubles, k_max: int, rng: np.random.Generator) -> tuple[Ints, int]:
    """The labels `(n,)` and the number of clusters of the best silhouette; one cluster where that is below LEAST."""
    best, labels, k = LEAST, np.zeros(len(rows), np.int64), 1
    some = rng.permutation(len(rows))[:500]
    for tried in range(2, min(k_max, len(rows) - 1, len(np.unique(rows, axis=0))) + 1):
        found, _ = kmeans(rows, tried, rng)
        if np.unique(found).size == tried and (score := silhouette(rows[some], found[some])) > best:
            best, labels, k = score, found, tried
    return labels, k


def silhouette(x: Doubles, labels: Ints) -> float:
    """Mean of (b - a) / max(a, b): a the mean distance to the own cluster's others, b to the nearest other cluster.

    0 for a client alone in its cluster, and where there is one cluster. Source: Rousseeuw (1987).
    """
    groups = np.unique(labels)
    if groups.size < 2:
        return 0.0
    gaps = np.sqrt(np.maximum(((x[:, None] - x[None, :]) ** 2).sum(axis=2), 0.0))
    member = (labels[:, None] == groups[None, :]).astype(np.float64)  # (n, k)
    sizes = member.sum(axis=0)
    total = gaps @ member
    own = member.argmax(axis=1)
    mine = np.arange(len(x))
    inside = total[mine, own] / np.maximum(sizes[own] - 1, 1)
    outside = total / sizes
    outside[mine, own] = np.inf
    nearest_other = outside.min(axis=1)
    scores = (nearest_other - inside) / np.maximum(np.maximum(inside, nearest_other), 1e-300)
    return float(np.where(sizes[own] > 1, scores, 0.0).mean())
