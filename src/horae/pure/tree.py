"""The cohort tree: who descends from whom, and which leaf serves a request.

Cohorts are values in a dictionary by path; `()` is the root and `(0, 1)` the second child of its first child. Only
leaves train. A cohort that split stays in the tree, without its model, to answer requests that still name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Path = tuple[int, ...]
ROOT: Path = ()


@dataclass(frozen=True)
class Cohort:
    """One group of clients and everything it has learnt: model, buffers, and the states of its components."""

    path: Path
    params: NDArray[np.float32]
    buffers: NDArray[np.float32]
    round: int = 0
    algorithm: Any = None
    selector: Any = None
    clustering: Any = None
    pruning: Any = None


@dataclass(frozen=True)
class Verdict:
    """What a cohort decided about its own shape after a round, with the evidence.

    statistic: the measured quantity, NaN where it could not be measured; threshold: what it was held against; reason:
    one line for people.
    """

    path: Path
    statistic: float
    threshold: float
    reason: str


@dataclass(frozen=True)
class Stay(Verdict):
    """No change."""


@dataclass(frozen=True)
class Split(Verdict):
    """The cohort becomes `k` children. clients, cluster `(members,)`: the members it knows, and the child of each."""

    k: int = 2
    clients: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    cluster: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class CohortTree:
    """All cohorts there are or were.

    width: how many cohorts ever existed. common: what a clustering knows of them all.
    """

    cohorts: Mapping[Path, Cohort]
    children: Mapping[Path, int] = field(default_factory=dict)
    common: Any = None

    def __getitem__(self, path: Path) -> Cohort:
        return self.cohorts[path]

    def __iter__(self) -> Iterator[Cohort]:
        return iter(self.leaves())

    @property
    def width(self) -> int:
        """How many cohorts ever existed, leaves and retired ones."""
        return len(self.cohorts) + len(self.children)

    def leaves(self) -> list[Cohort]:
        """The cohorts that train, in path order."""
        return [self.cohorts[path] for path in self.paths()]

    def paths(self) -> tuple[Path, ...]:
        """The leaves' paths, in order."""
        return tuple(sorted(self.cohorts))

    def put(self, cohort: Cohort) -> CohortTree:
        """The tree with this leaf's new value."""
        if cohort.path not in self.cohorts:
            raise KeyError(f"{cohort.path} is not a leaf")
        return replace(self, cohorts={**self.cohorts, cohort.path: cohort})

    def split(self, path: Path, k: int, fresh: Any) -> CohortTree:
        """The tree in which leaf `path` became k children.

        Children inherit model, buffers, round and the states of server optimiser, selector and pruning; what the
        cohort knew about its own inside is void, and each child starts with `fresh`. Source: Auxo 4.2 ("starts with
        the parent cohort model weights"). Reading: the optimiser's state and the round are inherited too (decision
        0006).
        """
        parent = self.cohorts[path]
        kept = {p: c for p, c in self.cohorts.items() if p != path}
        born = {(*path, i): replace(parent, path=(*path, i), clustering=fresh) for i in range(k)}
        return replace(self, cohorts={**kept, **born}, children={**self.children, path: k})

    def recast(self, leaves: Mapping[Path, Mapping[Path, float]]) -> CohortTree:
        """The tree with other leaves: each by its path, with the shares of the old leaves that its model is made of.

        Model and buffers are averages by these shares, which sum to one; the round and the components' states come from
        the old leaf of the largest share, the first of equal ones.
        """
        made = {}
        for path, shares in leaves.items():
            heir = self.cohorts[max(sorted(shares), key=lambda old: shares[old])]
            if len(shares) == 1:
                made[path] = replace(heir, path=path)
                continue
            parts = [(np.float32(share), self.cohorts[old]) for old, share in sorted(shares.items())]
            params = np.sum([share * cohort.params for share, cohort in parts], axis=0)
            buffers = np.sum([share * cohort.buffers for share, cohort in parts], axis=0)
            made[path] = replace(heir, path=path, params=params, buffers=buffers)
        return replace(self, cohorts=made)

    def resolve(self, path: Path, cluster: Mapping[Path, int], u: float) -> Path:
        """The leaf that serves a request for `path`, which may be stale, retired or made up (Auxo 5.1, request match).

        cluster: the client's cluster index inside cohorts it knows; u in [0, 1): decides where it knows nothing.
        """
        here: Path = ROOT
        for step in path:  # the part of the wish that exists
            if here not in self.children or not 0 <= step < self.children[here]:
                break
            here = (*here, step)
        while here in self.children:
            k = self.children[here]
            known = cluster.get(here, -1)
            step = known if 0 <= known < k else min(int(u * k), k - 1)
            u = u * k - int(u * k)
            here = (*here, step)
        return here


def distance(m: Path, other: Path) -> int:
    """Steps from cohort m up to its lowest common ancestor with the other: 0 itself, 1 a sibling, 2 a cousin.

    Source: Auxo 4.3 ("the distance to their lowest common ancestral cohorts") and Figure 7. Reading: counted from
    the explored cohort (decision 0003); with ΔR = -3 at (0,0,1) its sibling (0,0,0) gets -3/2 and (0,1) gets -3/3.

    >>> distance((0, 0, 1), (0, 0, 0)), distance((0, 0, 1), (0, 1)), distance((0, 1), (0, 0, 1))
    (1, 2, 1)
    """
    common = 0
    for a, b in zip(m, other, strict=False):
        if a != b:
            break
        common += 1
    return len(m) - common
