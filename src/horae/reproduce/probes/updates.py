"""Are updates alike where data are alike, and the more so the longer a model has trained?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from horae.engines import Simulation
from horae.errors import require
from horae.experiment import Experiment, load
from horae.federate import federate
from horae.training import Work
from horae.types import Doubles


@dataclass(frozen=True)
class UpdateSimilarity:
    """After some rounds of one model every client trains from it; over all pairs of clients, Pearson's correlation of
    the cosine of their updates' deviations from the mean with that of their data's mean.

    rounds: after which to look; the arms are `after N rounds`. population, directory, kind, clients, degrees: whose
    data; what is empty is as that population has it.

    Source: Auxo (SoCC '23) 7.4 and Figure 12.
    """

    rounds: tuple[int, ...] = (0, 5, 20, 50, 100, 150)
    participants: int = 30
    population: str = "digits-rotated"
    directory: str = ""
    kind: str = ""
    clients: int = 100
    degrees: tuple[float, ...] = ()
    model: str = "logistic"

    def __post_init__(self) -> None:
        ordered = bool(self.rounds) and list(self.rounds) == sorted(set(self.rounds)) and self.rounds[0] >= 0
        require(ordered, "probe.rounds", "be different numbers of rounds, rising", list(self.rounds))

    def missing(self, data_root: Path | None) -> str:
        """What the population says is missing."""
        people = self.experiment(0).parts["population"]
        return str(people.missing(data_root) or "") if hasattr(people, "missing") else ""

    def experiment(self, seed: int) -> Experiment:
        """One global model, for as long as it takes. Errors: ConfigError."""
        rounds = self.rounds[-1] + 1
        said = {"directory": self.directory, "kind": self.kind, "degrees": list(self.degrees)}
        changes: dict[str, Any] = {
            "name": "update-similarity", "seed": seed, "baseline": "none", "clustering.name": "single",
            "participants": self.participants, "budget.participations": rounds * self.participants,
            "population.name": self.population, "population.clients": self.clients, "model.name": self.model,
        }  # fmt: skip
        return load(None, changes | {f"population.{key}": value for key, value in said.items() if value})

    def measure(self, seed: int, data_root: Path | None) -> dict[str, dict[str, float]]:
        """The correlation after each number of rounds."""
        experiment = self.experiment(seed)
        world, plan = experiment.world(data_root), experiment.plan()
        looking = _Looking(world, self.rounds)
        first = (world.trainer.initial_params, world.trainer.initial_buffers)
        with threadpool_limits(limits=1):
            federate(plan, first, Simulation(plan, world, experiment.engine), _Silent(), [looking])
        return {f"after {n} rounds": {"correlation": value} for n, value in looking.found.items()}


class _Silent:
    """A recorder that records nothing."""

    def round(self, *_: Any) -> None:
        """Nothing."""


class _Looking:
    """An observer: all clients train from the model as it is, and nothing comes of it."""

    def __init__(self, world: Any, rounds: tuple[int, ...]) -> None:
        people = world.population
        self.world, self.rounds, self.clients = world, rounds, np.arange(people.clients)
        self.rows = people.train.rows(self.clients)
        self.data = cosines(np.stack([people.x[own].mean(axis=0, dtype=np.float64).ravel() for own in self.rows]))
        self.found: dict[int, float] = {}

    def look(self, standing: Any, engine: Any, *, over: bool) -> None:
        """Where it is time: Pearson's correlation over pairs."""
        (cohort,) = standing.tree.leaves()
        if cohort.round in self.rounds and cohort.round not in self.found:
            done = self.world.trainer.train(Work(cohort.params, cohort.buffers, self.clients, self.rows, cohort.round))
            self.found[cohort.round] = float(np.corrcoef(cosines(done.updates), self.data)[0, 1])


def cosines(rows: Any) -> Doubles:
    """Of the rows' deviations from their mean, for all pairs.

    >>> cosines(np.array([[1.0, 0.0], [-1.0, 0.0]])).tolist()
    [-1.0]
    """
    deviation = rows - rows.mean(axis=0)
    deviation /= np.maximum(np.linalg.norm(deviation, axis=1, keepdims=True), 1e-30)
    found: Doubles = (deviation @ deviation.T)[np.triu_indices(len(rows), 1)]
    return found
