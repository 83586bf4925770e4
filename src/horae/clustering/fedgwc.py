"""FedGWC: clusters of clients whose losses look alike, by Gaussian rewards and spectral clustering (ICML 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from horae.clustering.lockstep import SharedRounds
from horae.errors import require
from horae.pure.clusters import kmeans
from horae.pure.streams import stream
from horae.types import Ask, Cohort, CohortTree, Doubles, Ints, Outcome, Path, Split, Stay, Verdict


@dataclass(frozen=True)
class Homes:
    """home: the leaf of each client that took part, by id."""

    home: Mapping[int, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Interactions:
    """What one cluster knows of its clients.

    clients `(n,)`: those that took part, in order of id. w `(n, n)`: W. size: clients of the cluster, K. mse: running.
    calm, wait: rounds that it was below ε, and how many it must be.
    """

    clients: Ints
    w: Doubles
    size: int
    mse: float = 1.0
    calm: int = 0
    wait: int = 1

    def with_room(self, clients: Ints) -> Interactions:
        """The same with rows for these clients, which begin at 1 / K²."""
        ids = np.union1d(self.clients, clients)
        size = max(self.size, ids.size)
        wider = np.full((ids.size, ids.size), 1.0 / size**2)
        at = np.searchsorted(ids, self.clients)
        wider[np.ix_(at, at)] = self.w
        return replace(self, clients=ids, w=wider, size=size)


@dataclass(frozen=True)
class FedGwc(SharedRounds):
    """A client is rewarded for a loss like the others'; clients that are rewarded alike form a cluster.

        r_i = exp(-(l_i - μ)² / 2σ²),    W_ij ← (1 - α) W_ij + α r_i / Σ r  for participants i, j,    α = |P| / K
        A_ij = exp(-γ Σ_{l ≠ i, j} (W_il - W_jl)²),    mse ← (1 - α) mse + α mean (ΔW)²

    Once mse < ε for K / |P| rounds in a row the cluster is split by spectral clustering on A, into the number of parts
    of the lowest Davies-Bouldin score, if that is below 1. gamma: γ. eps: ε. k_max: most parts of one split. Nothing is
    asked of clients but their loss.

    Source: Licciardi et al., ICML 2025, with the authors' code for W scaled to [0, 1], the patience and the limit K /
    |P| on parts. Reading: l_i is the round's mean loss, where the paper has the loss of each local step; μ and σ² are
    weighted by samples; rows of W are compared as the paper has it (the code compares columns); K-means on the first
    eigenvectors of the normalised Laplacian; clients that never took part are not clustered, and come to a leaf at
    random; |P| is the participants of all cohorts in the limit on parts, a cohort's own in α.
    """

    gamma: float = 0.1
    eps: float = 1e-5
    k_max: int = 4

    def __post_init__(self) -> None:
        require(0 < self.gamma <= 1e6, "clustering.gamma", "be in (0, 1e6]", self.gamma)
        require(0 < self.eps <= 1, "clustering.eps", "be in (0, 1]", self.eps)
        require(2 <= self.k_max <= 255, "clustering.k_max", "be in [2, 255]", self.k_max)

    def learn(self, state: Any, outcome: Outcome, tree: CohortTree) -> tuple[Any, None]:
        """Rewards, W and the running mse of this cluster."""
        ok = np.isfinite(outcome.losses)
        clients, losses, samples = outcome.clients[ok], outcome.losses[ok], outcome.samples[ok]
        if not clients.size:
            return state, None
        first = Interactions(clients[:0], np.zeros((0, 0)), max(outcome.population, clients.size))
        state = (state or first).with_room(clients)
        alpha = clients.size / state.size
        reward = rewards(losses, samples)
        at = np.searchsorted(state.clients, clients)
        block = np.ix_(at, at)
        w = state.w.copy()
        w[block] = (1 - alpha) * w[block] + alpha * (reward / max(reward.sum(), 1e-300))[:, None]
        mse = (1 - alpha) * state.mse + alpha * float(np.mean((w[block] - state.w[block]) ** 2))
        calm, wait = state.calm + 1 if mse < self.eps else 0, max(1, round(state.size / clients.size))
        return replace(state, w=w, mse=mse, calm=calm, wait=wait), None

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """Every cluster that is calm is looked into."""
        verdicts: list[Verdict] = []
        for leaf in tree.leaves():
            state: Interactions | None = leaf.clustering
            if state is None or state.calm < state.wait:
                continue
            most = min(self.k_max, state.size // max(participants, 1), state.clients.size // 2)
            if most >= 2:
                verdict, tree = self._look(tree, leaf, state, most)
                verdicts.append(verdict)
        told = ((leaf.path, leaf.clustering) for leaf in tree.leaves() if leaf.clustering is not None)
        home = {c: path for path, state in told for c in state.clients.tolist()}
        return replace(tree, common=Homes(home)), verdicts

    def _look(self, tree: CohortTree, leaf: Cohort, state: Interactions, most: int) -> tuple[Verdict, CohortTree]:
        path = leaf.path
        best, score = np.zeros(state.clients.size, np.int64), 1.0
        a = affinity(state.w, self.gamma)
        for k in range(2, most + 1):
            labels, found = spectral(a, k, stream(0, "fedgwc", leaf.round, *path, k))
            if found < score:
                best, score = labels, found
        if not best.any():
            why = f"no split into at most {most}: Davies-Bouldin is not below 1"
            return Stay(path, score, 1.0, why), tree.put(replace(leaf, clustering=replace(state, mse=1.0, calm=0)))
        k = int(best.max()) + 1
        sizes = " + ".join(map(str, np.bincount(best)))
        reason = f"split into {k}: Davies-Bouldin {score:.2f} < 1, clients {sizes}"
        tree = tree.split(path, k, None)
        for part in range(k):
            rows = best == part
            inside = Interactions(state.clients[rows], state.w[np.ix_(rows, rows)], int(rows.sum()))
            tree = tree.put(replace(tree[(*path, part)], clustering=inside))
        return Split(path, score, 1.0, reason, k, state.clients, best), tree


def rewards(losses: Doubles, samples: Ints) -> Doubles:
    """r_i = exp(-(l_i - μ)² / 2σ²), `(q,)`: 1 for the mean loss. One client, or equal losses: all 1."""
    shares = samples / max(samples.sum(), 1)
    gaps = losses - (shares * losses).sum()
    rewarded: Doubles = np.exp(-(gaps**2) / (2 * (shares * gaps**2).sum() + 1e-16))
    return rewarded


def affinity(w: Doubles, gamma: float) -> Doubles:
    """A_ij = exp(-γ Σ_{l ≠ i, j} (W_il - W_jl)²) for W scaled to [0, 1], zero on the diagonal: `(n, n)`."""
    scaled = (w - w.min()) / max(w.max() - w.min(), 1e-8)
    lengths = (scaled**2).sum(axis=1)
    gaps = lengths[:, None] + lengths[None, :] - 2 * scaled @ scaled.T
    own = np.diag(scaled)
    gaps -= (own[:, None] - scaled.T) ** 2 + (scaled - own[None, :]) ** 2  # l = i, and l = j
    alike: Doubles = np.exp(-gamma * np.maximum(gaps, 0.0))
    np.fill_diagonal(alike, 0.0)
    return alike


def spectral(a: Doubles, k: int, rng: np.random.Generator) -> tuple[Ints, float]:
    """k clusters of a graph, and the Davies-Bouldin score where they were found; infinite if one is empty.

    The k eigenvectors of least eigenvalue of L = I - D^(-1/2) A D^(-1/2), divided by √D, are clustered by K-means.

    Source: Ng, Jordan and Weiss (2001); Shi and Malik (2000) for the scale.
    """
    root = 1 / np.sqrt(a.sum(axis=1) + 1e-16)
    _, vectors = np.linalg.eigh(np.eye(len(a)) - root[:, None] * a * root[None, :])
    places = vectors[:, :k] * root[:, None]
    labels, _ = kmeans(places, k, rng)
    return labels, davies_bouldin(places, labels, k)


def davies_bouldin(x: Doubles, labels: Ints, k: int) -> float:
    """Mean over clusters of the worst (s_a + s_b) / d_ab: low where clusters are tight and far apart.

    s: mean distance to the own centre; d: between centres. Source: Davies and Bouldin (1979).
    """
    if np.unique(labels).size < k:
        return float("inf")
    centres = np.stack([x[labels == c].mean(axis=0) for c in range(k)])
    spread = np.array([np.linalg.norm(x[labels == c] - centres[c], axis=1).mean() for c in range(k)])
    apart = np.linalg.norm(centres[:, None] - centres[None, :], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(((spread[:, None] + spread[None, :]) / np.maximum(apart, 1e-300)).max(axis=1).mean())
