"""Clients of the alignment benchmark, and what is known of their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.alignment import Halor
from horae.population import Population
from horae.types import Arrangement, Ask, CohortTree, Doubles, Ints, News, Outcome, Path

CLASSES = 10


@dataclass(frozen=True)
class Known:
    """Alignment by label shares that everybody was told beforehand: what a perfect census would be worth."""

    by: Halor
    shares: tuple[float, ...]

    @property
    def tells(self) -> bool:
        """As the alignment has it."""
        return self.by.tells

    def begin(self, seed: int) -> None:
        """No state."""

    def target(self, state: None, path: Path) -> Doubles:
        """The same for all."""
        return np.array(self.shares)

    def learn(self, state: None, outcome: Outcome, tree: CohortTree, ask: Ask) -> tuple[None, tuple[News, ...]]:
        """Nothing to learn."""
        return None, ()

    def arrange(self, labels: Ints, target: Doubles, rng: np.random.Generator) -> Arrangement:
        """As the alignment has it."""
        return self.by.arrange(labels, target, rng)


def label_table(people: Population) -> Ints:
    """How many training samples of each label every client holds, `(clients, classes)`."""
    rows = people.train.rows(np.arange(people.clients))
    return np.stack([np.bincount(people.y[own], minlength=people.classes) for own in rows])


def truth(people: Population) -> Doubles:
    """The population's label shares."""
    total = label_table(people).sum(axis=0)
    shares: Doubles = total / total.sum()
    return shares
