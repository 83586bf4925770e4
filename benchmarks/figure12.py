"""Auxo's Figure 12, small: are updates alike where data are alike? `python benchmarks/figure12.py` (a minute).

After some rounds of experiments/figure12.toml every client trains from the model as it is then. For all pairs of
clients: the cosine of their updates' deviations from the mean, and that of their mean images' (the data); then
Pearson's correlation over pairs. Results go to benchmarks/results/figure12.md.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

from benchmarks.train.machine import machine
from horae.engines import Simulation
from horae.experiment import load
from horae.federate import federate
from horae.training import Work

ROOT = Path(__file__).parents[1]
AT, SEEDS = (0, 5, 20, 50, 100, 150), (0, 1, 2)


class Silent:
    """A recorder that records nothing."""

    def round(self, *_: Any) -> None:
        """Nothing."""


def cosines(rows: np.ndarray) -> np.ndarray:
    """Of the deviations from the mean, for all pairs."""
    deviation = rows - rows.mean(axis=0)
    deviation /= np.maximum(np.linalg.norm(deviation, axis=1, keepdims=True), 1e-30)
    return (deviation @ deviation.T)[np.triu_indices(len(rows), 1)]


class Looking:
    """An observer that correlates updates with data after the rounds AT."""

    def __init__(self, world: Any) -> None:
        people = world.population
        self.world, self.clients = world, np.arange(people.clients)
        self.rows = people.train.rows(self.clients)
        self.data = cosines(np.stack([people.x[own].mean(axis=0).ravel() for own in self.rows]))
        self.found: dict[int, float] = {}

    def look(self, standing: Any, engine: Any, *, over: bool) -> None:
        """All clients train from the model as it is, and nothing comes of it."""
        (cohort,) = standing.tree.leaves()
        if cohort.round in AT and cohort.round not in self.found:
            done = self.world.trainer.train(Work(cohort.params, cohort.buffers, self.clients, self.rows, cohort.round))
            self.found[cohort.round] = float(np.corrcoef(cosines(done.updates), self.data)[0, 1])


def one(seed: int) -> dict[int, float]:
    """Correlations by round."""
    experiment = load(ROOT / "experiments" / "figure12.toml", {"seed": seed})
    world, plan = experiment.world(), experiment.plan()
    looking = Looking(world)
    engine = Simulation(plan, world, experiment.engine)
    with threadpool_limits(limits=1):
        federate(plan, (world.trainer.initial_params, world.trainer.initial_buffers), engine, Silent(), [looking])
    return looking.found


def main() -> None:
    """Run, print, write."""
    about, found = machine(), [one(seed) for seed in SEEDS]
    lines = [
        "Made by `python benchmarks/figure12.py`.\n",
        f"{about['cpu']}; {about['date']}. Pearson's correlation over all pairs of clients, seeds {SEEDS}.\n",
        "| rounds | mean | each seed |",
        "|---|---|---|",
    ]
    for number in AT:
        own = [by_round[number] for by_round in found]
        lines.append(f"| {number} | {statistics.mean(own):.2f} | {', '.join(f'{value:.2f}' for value in own)} |")
    print("\n".join(lines))
    (ROOT / "benchmarks" / "results" / "figure12.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
