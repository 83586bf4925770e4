"""The upper bound: cohorts are the planted groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.clustering.common import even_quota, idle_leaves
from horae.types import ROOT, Ask, CohortTree, Feedback, Groups, Outcome, Path, Records, Verdict, Wishes


@dataclass(frozen=True)
class Oracle:
    """One cohort per planted group from the first round on; clients know theirs.

    With no planted groups it is `single`.
    """

    def init(self) -> None:
        """No state."""

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """One child of the root for each planted group, in order of group id."""
        groups = ask(Groups(), charge=False)
        return tree.split(ROOT, groups.size, None) if groups.size > 1 else tree

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """The client's own group's cohort: group ids are 0 ... G - 1, as the leaves are."""
        n, leaves = records.clients.size, offers.paths()
        choice = records.group if len(leaves) > 1 else np.zeros(n, int)
        return Wishes(leaves, choice, np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, int))

    def react(self, records: Records, feedback: Feedback) -> Records:
        """Nothing to remember."""
        return records

    def ready(self, tree: CohortTree, running: frozenset[Path]) -> list[Path]:
        """Every idle leaf."""
        return idle_leaves(tree, running)

    def quota(self, tree: CohortTree, n: int) -> dict[Path, int]:
        """Near-equal shares."""
        return even_quota(tree, n)

    def learn(self, state: None, outcome: Outcome, tree: CohortTree) -> tuple[None, None]:
        """Nothing to learn, nothing to say."""
        return None, None

    def reshape(self, state: None, path: Path, tree: CohortTree, participants: int, spent: float) -> list[Verdict]:
        """Never."""
        return []
