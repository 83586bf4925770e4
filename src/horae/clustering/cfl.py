"""CFL: cohorts are cut in two where training has come to a halt that suits nobody (Sattler et al.)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from horae.clustering.lockstep import Rows, SharedRounds, settled
from horae.errors import require
from horae.types import ROOT, Ask, CohortTree, Floats, Ints, Path, Practice, Practise, Split, Stay, Updates, Verdict

NEWCOMER = 1_000_000_000  # numbers of the rounds in which newcomers find their way down


@dataclass(frozen=True)
class Fork:
    """A cut: the model that stood there, and on either side the mean of the updates at length one, `(2, dims)`."""

    path: Path
    params: Floats
    buffers: Floats
    sides: Floats


@dataclass(frozen=True)
class Cached:
    """What the server of CFL knows.

    home: the leaf of each client that was met. updates: the last one of each. longest: the greatest norm so far. forks:
    the parameter tree, from the root down. asked: calls to newcomers so far.
    """

    home: Mapping[int, Path] = field(default_factory=dict)
    updates: Rows = field(default_factory=Rows)
    longest: float = 0.0
    forks: tuple[Fork, ...] = ()
    asked: int = 0


@dataclass(frozen=True)
class Cfl(SharedRounds):
    """A cohort whose members' updates cancel out without being small is cut in two, by the cosines between them.

        ‖Σ_i Δθ_i / n‖ < ε₁,      max_i ‖Δθ_i‖ > ε₂,      c₁, c₂ = arg min (max_{i ∈ c₁, k ∈ c₂} α_ik)

    eps1, eps2: shares of the longest update of the run. gamma_max: the cut is made if γ_max < √((1 - α_cross) / 2),
    α_cross the greatest cosine across it; 0: always. min_members: fewest members of a side; one in the paper. dims: of
    the sketches that stand for updates; shorter updates are kept as they are. check_every: rounds between two reasons
    told.

    Source: Sattler, Müller and Samek, Clustered federated learning (TNNLS 2021), Algorithms 1-3. Reading: ε relative
    (the paper: ε₁ about a tenth of the largest norm, ε₂ up to ten times that), members equal in the mean; under partial
    participation the last update of each member stands for it, however old; a newcomer goes down the parameter tree by
    the greater mean cosine, trains once at each fork it passes, and that is charged.
    """

    eps1: float = 0.1
    eps2: float = 0.5
    gamma_max: float = 0.0
    min_members: int = 1
    dims: int = 4096
    check_every: int = 10

    def __post_init__(self) -> None:
        require(0 < self.eps1 <= 1, "clustering.eps1", "be in (0, 1]", self.eps1)
        require(0 <= self.eps2 <= 1, "clustering.eps2", "be in [0, 1]", self.eps2)
        require(0 <= self.gamma_max <= 1, "clustering.gamma_max", "be in [0, 1]", self.gamma_max)
        require(1 <= self.min_members <= 1_000_000, "clustering.min_members", "be in [1, 1000000]", self.min_members)
        require(2 <= self.dims <= 2**31, "clustering.dims", "be in [2, 2147483648]", self.dims)
        require(1 <= self.check_every <= 10_000, "clustering.check_every", "be in [1, 10000]", self.check_every)

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """The root alone."""
        return replace(tree, common=Cached())

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """Newcomers go down the parameter tree, once there is one."""
        cached: Cached = tree.common
        new = [c for c in clients.tolist() if c not in cached.home]
        if not new or not cached.forks:
            return tree
        way, asked = dict.fromkeys(new, ROOT), cached.asked
        for fork in cached.forks:
            here = np.array([c for c in new if way[c] == fork.path], np.int64)
            if not here.size:
                continue
            found: Practice = ask(Practise(fork.params, fork.buffers, here, number=NEWCOMER + asked))
            side = (_units(found.updates.sketch(self.dims)) @ fork.sides.T).argmax(axis=1)
            way |= {c: (*fork.path, s) for c, s in zip(found.clients.tolist(), side.tolist(), strict=True)}
            asked += 1
        return replace(tree, common=replace(cached, home={**cached.home, **way}, asked=asked))

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """The round's updates replace older ones, and each cohort that trained is looked at."""
        tree, replies = settled(tree)
        cached, verdicts = tree.common, []
        for path, reply in replies.items():
            longest = float(np.linalg.norm(reply.updates, axis=1).max())
            rows = Updates(reply.updates).sketch(self.dims)
            cached = Cached(
                {**cached.home, **dict.fromkeys(reply.clients.tolist(), path)},
                cached.updates.put(reply.clients, rows), max(cached.longest, longest), cached.forks, cached.asked,
            )  # fmt: skip
        tree = replace(tree, common=cached)
        for path in replies:
            tree, verdict = self._looked_at(tree, path)
            if isinstance(verdict, Split) or tree[path].round % self.check_every == 0:
                verdicts.append(verdict)
        return tree, verdicts

    def _looked_at(self, tree: CohortTree, path: Path) -> tuple[CohortTree, Verdict]:
        """One cohort by its members' last updates: the tree with it or with its two sides."""
        cached: Cached = tree.common
        members = np.array(sorted(c for c, leaf in cached.home.items() if leaf == path), np.int64)
        members = members[np.isin(members, cached.updates.clients)]
        rows, unit = cached.updates.of(members), max(cached.longest, 1e-30)
        mean = float(np.linalg.norm(rows.mean(axis=0))) / unit
        longest = float(np.linalg.norm(rows, axis=1).max()) / unit
        why = ""
        if mean >= self.eps1:
            why = f"mean update {mean:.2f} >= {self.eps1:.2f} of the longest"
        elif longest <= self.eps2:
            why = f"mean update {mean:.2f} < {self.eps1:.2f}, but no member's > {self.eps2:.2f}"
        elif members.size < 2 * self.min_members:
            why = f"{members.size} members < {2 * self.min_members}"
        if why:
            return tree, Stay(path, mean, self.eps1, f"no split: {why}")
        side, across = bipartition(rows)
        gap, sizes = float(np.sqrt(max(0.0, 1 - across) / 2)), np.bincount(side, minlength=2).tolist()
        if min(sizes) < self.min_members:
            why = f"{min(sizes)} members on one side < {self.min_members}"
        elif self.gamma_max and gap <= self.gamma_max:
            why = f"√((1 - {across:.2f}) / 2) = {gap:.2f} <= {self.gamma_max:.2f}"
        if why:
            return tree, Stay(path, mean, self.eps1, f"no split: {why}")
        reason = f"split into 2: mean update {mean:.2f} < {self.eps1:.2f} of the longest, a member's {longest:.2f} > "
        reason += f"{self.eps2:.2f}, cosines across <= {across:.2f}, members {sizes[0]} + {sizes[1]}"
        return self._cut(tree, Split(path, mean, self.eps1, reason, 2, members, side), rows)

    def _cut(self, tree: CohortTree, split: Split, rows: Floats) -> tuple[CohortTree, Verdict]:
        """The tree with a cohort's two sides, and one more fork in the parameter tree."""
        cached, path = tree.common, split.path
        sides = np.stack([_units(rows[split.cluster == s]).mean(axis=0) for s in range(2)])
        fork = Fork(path, tree[path].params, tree[path].buffers, sides)
        moved = {c: (*path, s) for c, s in zip(split.clients.tolist(), split.cluster.tolist(), strict=True)}
        known = replace(cached, home={**cached.home, **moved}, forks=(*cached.forks, fork))
        return replace(tree.split(path, 2, None), common=known), split


def bipartition(rows: Floats) -> tuple[Ints, float]:
    """The cut in two across which the greatest cosine is least, `(n,)` of 0 and 1, and that cosine.

    rows `(n, dims)`, n >= 2. It is the spanning tree of the greatest cosines (Prim) without its weakest edge, which is
    what joining pairs from the greatest cosine down until two sides are left comes to. The first row is on side 0.

    Source: Sattler, Müller and Samek, Algorithm 1 (optimal bipartition).
    """
    cosines = (units := _units(rows)) @ units.T
    n = len(rows)
    order, parent, link = [0], np.zeros(n, np.int64), cosines[0].copy()
    outside = np.ones(n, bool)
    outside[0] = False
    for _ in range(n - 1):
        nxt = int(np.where(outside, link, -np.inf).argmax())
        order.append(nxt)
        outside[nxt] = False
        closer = outside & (cosines[nxt] > link)
        parent[closer], link[closer] = nxt, cosines[nxt][closer]
    weakest = min(order[1:], key=lambda row: float(link[row]))
    side = np.zeros(n, np.int64)
    for row in order[1:]:
        side[row] = 1 if row == weakest else side[parent[row]]
    return side, float(link[weakest])


def _units(rows: Floats) -> Floats:
    """Each row at length one; nothing stays nothing."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    units: Floats = rows / np.maximum(lengths, np.float32(1e-30))
    return units
