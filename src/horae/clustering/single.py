"""One model for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.clustering.common import even_quota, idle_leaves
from horae.types import ROOT, Ask, CohortTree, Feedback, Outcome, Path, Records, Verdict, Wishes


@dataclass(frozen=True)
class Single:
    """Plain federated learning: the cohort of all clients, which never splits."""

    def init(self) -> None:
        """No state."""

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """The root alone."""
        return tree

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """Everybody asks for the root, and no message is needed for that."""
        n = records.clients.size
        return Wishes((ROOT,), np.zeros(n, int), np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, int))

    def react(self, records: Records, feedback: Feedback) -> Records:
        """Nothing to remember."""
        return records

    def ready(self, tree: CohortTree, running: frozenset[Path]) -> list[Path]:
        """The root, when it is idle."""
        return idle_leaves(tree, running)

    def quota(self, tree: CohortTree, n: int) -> dict[Path, int]:
        """All of them."""
        return even_quota(tree, n)

    def learn(self, state: None, outcome: Outcome, tree: CohortTree) -> tuple[None, None]:
        """Nothing to learn, nothing to say."""
        return None, None

    def reshape(self, state: None, path: Path, tree: CohortTree, participants: int, spent: float) -> list[Verdict]:
        """Never."""
        return []
