"""StoCFL: clusters grow by merging, and all of them are tied to one global model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from horae.clustering.contact import first_updates, strangers
from horae.clustering.lockstep import Rows, SharedRounds, at_home, wishes
from horae.errors import require
from horae.types import (
    ROOT,
    Ask,
    Bools,
    Cohort,
    CohortTree,
    Doubles,
    Floats,
    Ints,
    Outcome,
    Path,
    Practise,
    Records,
    Verdict,
    Wishes,
)


@dataclass(frozen=True)
class Anchored:
    """What the server knows.

    first: the root with the first model, which is the anchor. omega: the global model. home: the cluster of each client
    that was met, by id. psi: Ψ of each. made: clusters that ever were. best: the largest cosine of two clusters that
    were not merged. told: how many clusters there were when that was told last. rounds: shared ones that are over.
    """

    first: Cohort
    omega: Floats
    home: Mapping[int, Path] = field(default_factory=dict)
    psi: Rows = field(default_factory=Rows)
    made: int = 0
    best: float = float("nan")
    told: int = 1
    rounds: int = 0


@dataclass(frozen=True)
class StoCfl(SharedRounds):
    """Every client is a cluster of its own when it is met; in each round those clusters of the round's clients are
    merged whose mean updates from one anchor model point the same way, best first.

        Ψ(D_i) = φ - φ_i,    merge a, b while max cos(mean_{i∈a} Ψ_i, mean_{i∈b} Ψ_i) >= τ
        θ_k = argmin f_k(θ) + λ/2 ‖θ - ω‖²

    tau: τ. lam: λ, how strongly clusters are held at the global model ω; 0 does without. steps: of local training from
    the anchor φ, 0 for the experiment's. dims: width of the sketch of Ψ. The first contact is charged. With λ > 0 each
    participant trains ω too, which is charged as "global model": twice the bytes and the computing.

    Source: Zeng et al., Stochastic Clustered Federated Learning (2023), Algorithm 1. Reading: φ is the first model; the
    means are worked out anew after each merge; a merged cluster goes on with the model of the larger one that was
    trained; a new cluster begins with ω. Who was never met is served by the largest cluster.
    """

    tau: float = 0.4
    lam: float = 0.05
    steps: int = 20
    dims: int = 1024

    def __post_init__(self) -> None:
        require(-1 < self.tau < 1, "clustering.tau", "be in (-1, 1)", self.tau)
        require(0 <= self.lam <= 100, "clustering.lam", "be in [0, 100]", self.lam)
        require(0 <= self.steps <= 10_000, "clustering.steps", "be in [0, 10000]", self.steps)
        require(self.dims >= 2, "clustering.dims", "be >= 2", self.dims)

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """The anchor is the first model."""
        root = tree[ROOT]
        return replace(tree, common=Anchored(root, root.params))

    def tether(self, tree: CohortTree) -> tuple[float, Floats] | None:
        """λ and ω."""
        return (self.lam, tree.common.omega) if self.lam and tree.common is not None else None

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """Ψ of newcomers, and merging among the clusters of the round's clients."""
        known: Anchored = tree.common
        first, new = known.first, strangers(known.home, clients)
        if new.size:
            reply = first_updates(ask, Practise(first.params, first.buffers, new, steps=self.steps))
            own = {c: (known.made + i,) for i, c in enumerate(reply.clients.tolist())}
            psi = known.psi.put(reply.clients, reply.updates.sketch(self.dims).copy())
            known = replace(known, home={**known.home, **own}, psi=psi, made=known.made + len(own))
        here = sorted({known.home[c] for c in clients.tolist() if c in known.home})
        if not here:
            return tree
        return self._merge(replace(tree, common=known), here)

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """Each client's cluster; the largest one for those that were never met."""
        leaves = offers.paths()
        home: Mapping[int, Path] = {} if offers.common is None else offers.common.home
        choice = at_home(home, records.clients, leaves, seed)
        unknown = np.array([c not in home for c in records.clients.tolist()], bool)
        if unknown.any() and home:
            sizes = _sizes(home)
            choice = np.where(unknown, leaves.index(max(leaves, key=lambda leaf: sizes.get(leaf, 0))), choice)
        return wishes(leaves, choice)

    def learn(self, state: Any, outcome: Outcome, tree: CohortTree) -> tuple[Any, None]:
        """Who took part, until the shared round is settled."""
        return (state if outcome.empty else outcome.clients), None

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """The participants' share in the global model."""
        known: Anchored = tree.common
        took = [leaf.clustering for leaf in tree.leaves() if leaf.clustering is not None]
        for leaf in tree.leaves():
            tree = tree.put(replace(leaf, clustering=None))
        verdicts: list[Verdict] = []
        clusters = len(tree.paths())
        if clusters != known.told:
            why = f"{clusters} clusters of {len(known.home)} clients that were met"
            verdicts.append(Verdict(tree.paths()[0], known.best, self.tau, why))
        if took and self.lam:
            work = Practise(known.omega, known.first.buffers, np.sort(np.concatenate(took)), number=known.rounds,
                            purpose="global model")  # fmt: skip
            reply = first_updates(ask, work)
            weights = reply.samples / max(reply.samples.sum(), 1)
            known = replace(known, omega=known.omega + reply.updates.combine(weights))
        known = replace(known, told=clusters, rounds=known.rounds + 1)
        return replace(tree, common=known), verdicts

    def _merge(self, tree: CohortTree, here: list[Path]) -> CohortTree:
        """The tree after merging among these clusters."""
        known: Anchored = tree.common
        members: dict[Path, list[int]] = {path: [] for path in here}
        for client in sorted(known.home):
            if (path := known.home[client]) in members:
                members[path].append(client)
        sums = np.stack([known.psi.of(np.array(members[path])).sum(axis=0) for path in here])
        heir, best = merged(sums, self.tau, [(path in tree.cohorts, len(members[path])) for path in here])
        into = {path: here[i] for path, i in zip(here, heir, strict=True)}
        home = {c: into.get(at, at) for c, at in known.home.items()}
        first = known.first
        leaves = {path: tree.cohorts.get(path) or replace(first, path=path, params=known.omega)
                  for path in sorted(set(home.values()))}  # fmt: skip
        known = replace(known, home=home, best=best)
        return replace(tree, cohorts=leaves, children={ROOT: known.made}, common=known)


def merged(sums: Floats, tau: float, rank: list[tuple[bool, int]]) -> tuple[list[int], float]:
    """For each cluster the one that it ends in, and the largest cosine that is left.

    sums `(n, dims)`: of the members' Ψ, which point where their means do. rank: of two that are merged the higher one
    stays (trained or not, size), the first of equals; sizes add up.
    """
    heir, rank = list(range(len(sums))), list(rank)
    inner = np.asarray(sums, np.float64) @ np.asarray(sums, np.float64).T
    alive = np.ones(len(sums), bool)
    while alive.sum() > 1:
        cosines = _cosines(inner, alive)
        one, other = divmod(int(cosines.argmax()), len(sums))
        if cosines[one, other] < tau:
            return heir, float(cosines[one, other])
        stays, goes = (one, other) if rank[one] >= rank[other] else (other, one)
        inner[stays] += inner[goes]
        inner[:, stays] += inner[:, goes]
        alive[goes] = False
        rank[stays] = (rank[stays][0], rank[stays][1] + rank[goes][1])
        heir = [stays if at == goes else at for at in heir]
    return heir, float("nan")


def _cosines(inner: Doubles, alive: Bools) -> Doubles:
    """Cosines of pairs i < j that are alive; -2 elsewhere."""
    lengths = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    cosines: Doubles = np.where(np.triu(np.outer(alive, alive), 1), inner / np.outer(lengths, lengths), -2.0)
    return cosines


def _sizes(home: Mapping[int, Path]) -> dict[Path, int]:
    sizes: dict[Path, int] = {}
    for path in home.values():
        sizes[path] = sizes.get(path, 0) + 1
    return sizes
