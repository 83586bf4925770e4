"""What a client's update tells about its labels, and what noise on totals makes of the shares."""

from __future__ import annotations

import numpy as np

from benchmarks.alignment_people import CLASSES, label_table, truth
from horae.alignment import Halor, distance
from horae.engines import Simulation
from horae.experiment import Experiment
from horae.pure.streams import stream
from horae.training import Work
from horae.types import Census, Doubles, Ints

SD = 71.0  # of Laplace noise for ε = 1 and 50 samples each: 50 √2
VIEWS = {"raw": None, "exact": Halor("exact"), "waterfill": Halor("waterfill"), "weight": Halor()}


def leak(experiment: Experiment, seed: int) -> dict[str, float]:
    """Correlation, over all clients and labels, between an update's last bias and the client's label shares.

    One local epoch from the first model, all clients, on the samples as they are or on a view of them.
    """
    world = experiment.world()
    people = world.population
    clients, table, g = np.arange(people.clients), label_table(people), truth(people)
    shares = table / table.sum(axis=1, keepdims=True)
    out = {}
    for name, halor in VIEWS.items():
        rows, weights = people.train.rows(clients), None
        if halor is not None:
            views = [halor.arrange(people.y[own], g, stream(seed, "leak", client)) for client, own in enumerate(rows)]
            if views[0].weights is not None:
                weights = [np.ones(len(own)) if v.weights is None else v.weights
                           for v, own in zip(views, rows, strict=True)]  # fmt: skip
            rows = [own if v.index is None else own[v.index] for v, own in zip(views, rows, strict=True)]
        out[name] = _correlation(_bias(experiment, rows, weights, seed), shares)
    return out


def noised(experiment: Experiment, group: int, fewest: int) -> float:
    """Total variation between the true shares and those of a census among all, each of its totals with noise."""
    world = experiment.world()
    ask = Census(world.population.clients, 0, 0, group=group, sticky=False, fewest=fewest, clip=50, noise=SD)
    found = Simulation(experiment.plan(), world, experiment.engine).ask(ask)
    total = np.maximum(found.labels.sum(axis=0), 0)
    return distance(total / total.sum(), truth(world.population))


def _bias(experiment: Experiment, rows: list[Ints], weights: list[Doubles] | None, seed: int) -> Doubles:
    """How far each client's last bias went in one epoch, `(clients, classes)`."""
    trainer = experiment.world().trainer
    steps = [max(1, -(-len(own) // trainer.training.batch)) / trainer.training.steps for own in rows]
    start, buffers = trainer.initial_params, trainer.initial_buffers
    work = Work(start, buffers, np.arange(len(rows)), rows, 0, efforts=np.array(steps), weights=weights)
    bias: Doubles = trainer.train(work).updates[:, -CLASSES:].astype(np.float64)
    return bias


def _correlation(one: Doubles, other: Doubles) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
