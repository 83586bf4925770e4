"""Looking on: how good are the cohorts' models for the clients they serve?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from horae.federate import Standing
from horae.pure.fairness import tail_means
from horae.pure.streams import stream
from horae.types import Doubles, Engine, Evaluate, Ints, Path

MOST = 65_536  # clients that are scored at the end: ±0.1 points
ENOUGH = 4096  # clients: ±0.5 points at 95 % for accuracies that spread by 16 points


@dataclass(frozen=True)
class Score:
    """The test accuracy of some clients, each with its own leaf's model on its own test samples.

    at_s: simulated seconds; participations, nbytes: the ledger's; leaves; clients, home, accuracy `(clients,)`: home
    is an index into leaves, accuracy NaN for a client without test samples; correct, tested: sums over clients.
    """

    at_s: float
    participations: int
    nbytes: int
    leaves: tuple[Path, ...]
    clients: Ints
    home: Ints
    accuracy: Doubles
    loss: float

    @property
    def mean(self) -> float:
        """Mean over clients of their accuracy."""
        return float(self.scored.mean()) if self.scored.size else float("nan")

    @property
    def scored(self) -> Doubles:
        """The accuracies of clients with test samples."""
        scored: Doubles = self.accuracy[~np.isnan(self.accuracy)]
        return scored

    @property
    def tails(self) -> tuple[float, float]:
        """Means of the worst and of the best tenth of clients."""
        return tail_means(self.scored)

    @property
    def by_leaf(self) -> dict[Path, tuple[int, float]]:
        """Clients at home in each leaf, and their mean accuracy."""
        table = {}
        for i, leaf in enumerate(self.leaves):
            mine = self.accuracy[(self.home == i) & ~np.isnan(self.accuracy)]
            table[leaf] = (int((self.home == i).sum()), float(mine.mean()) if mine.size else float("nan"))
        return table


@dataclass
class Evaluator:
    """Scores clients every `period` participations, and all of them (or MOST, if there are more) once at the end; moves
    neither clock nor ledger.

    total: clients in the population; sample: how many are scored on the way (0: enough for ±0.5 points). Every score
    goes to `note`.
    """

    total: int
    period: int
    seed: int
    note: Callable[[Score], None]
    sample: int = 0
    next_at: int = 0

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """Score at the start, whenever another period has passed, and at the end."""
        if over or standing.ledger.participations >= self.next_at:
            self.next_at += self.period
            self.note(self.score(standing, engine, self.some(MOST) if over else self.some(self.sample or ENOUGH)))

    def snapshot(self) -> int:
        """When the next score is due."""
        return self.next_at

    def restore(self, state: int) -> None:
        """Go on from there."""
        self.next_at = state

    def some(self, most: int) -> Ints:
        """All clients, or the same sample of `most` every time."""
        n = min(self.total, most)
        if n == self.total:
            return np.arange(self.total)
        return np.sort(stream(self.seed, "evaluate").choice(self.total, n, replace=False))

    def score(self, standing: Standing, engine: Engine, clients: Ints) -> Score:
        """Ask these clients how well their own leaf's model does."""
        tree, ledger = standing.tree, standing.ledger
        paths, home = engine.homes(tree, clients)
        models = [tree[path] for path in paths]
        answer = engine.ask(
            Evaluate(clients, paths, tuple(c.params for c in models), tuple(c.buffers for c in models), home),
            charge=False,
        )
        with np.errstate(invalid="ignore"):
            accuracy = np.where(answer.tested > 0, answer.correct / np.maximum(answer.tested, 1), np.nan)
        tested = answer.tested > 0
        loss = float(answer.losses[tested].mean()) if tested.any() else float("nan")
        nbytes = ledger.nbytes_up + ledger.nbytes_down
        return Score(engine.now_s, ledger.participations, nbytes, paths, clients, home, accuracy, loss)
