"""How well cohorts' models do: on each client's own test samples, and on everybody's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.engines.learning import Learning
from horae.pure.streams import stream
from horae.training.metrics import METRICS, Tally
from horae.training.tasks import Task
from horae.types import Evaluate, Evaluation, Examine, Floats, Ints, Personal

SHARED_TEST = 65_536  # samples of the test set that all models share, at most


@dataclass(frozen=True)
class Tallies:
    """What some clients' test samples are to some models. tally: each client's, by the model that serves it. right
    `(leaves,)`: answers of each leaf's model that are right, on all their samples; tested: samples.
    """

    tally: Tally
    right: Ints
    tested: Ints


def evaluate(learning: Learning, work: Evaluate, at_s: float) -> Evaluation:
    """Each client's own test samples by its own leaf's model, a batch per leaf; or by a model of its own, where the
    algorithm gives it one.
    """
    people, trainer = learning.world.population, learning.world.trainer
    n = work.clients.size
    correct, tested, losses = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n)
    for leaf in np.unique(work.home).tolist():
        rows = np.flatnonzero(work.home == leaf)
        held, buffers = people.test_at(work.clients[rows], at_s), work.buffers[leaf]
        own = _own(learning, work, leaf, rows, at_s)
        if own is None:
            correct[rows], tested[rows], losses[rows] = trainer.evaluate(work.params[leaf], buffers, held)
        else:
            parts = [trainer.evaluate(params, buffers, [mine]) for params, mine in zip(own, held, strict=True)]
            correct[rows], tested[rows], losses[rows] = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Evaluation(correct, tested, losses)


def examine(learning: Learning, work: Examine, at_s: float) -> dict[str, float]:
    """The task's own metric and those asked for over all clients' test samples, each by the model that serves it; and
    `accuracy_global`: the accuracy of the leaves' models on everybody's test samples together, averaged over clients.
    """
    if not work.clients.size:
        return {}
    held = learning.world.population.test_at(work.clients, at_s)
    shared = _shared(held, learning.plan.seed)
    tallies = Tallies(_counted(learning, work, held, at_s), *_shared_right(learning, work, shared))
    return table_of(tallies, work, learning.world.trainer.task)


def tallied(learning: Learning, work: Evaluate, at_s: float) -> Tallies:
    """What the same numbers are made of, for clients who are not all here: each client's samples count."""
    held = learning.world.population.test_at(work.clients, at_s)
    together = np.concatenate([np.zeros(0, np.int64), *held])
    return Tallies(_counted(learning, work, held, at_s), *_shared_right(learning, work, together))


def table_of(found: Tallies, work: Examine, task: Task) -> dict[str, float]:
    """The numbers."""
    if not int(found.tested):
        return {}
    at_home = np.bincount(work.home, minlength=len(work.paths))
    everywhere = float((at_home * found.right).sum()) / (int(found.tested) * work.clients.size)
    asked = tuple(name for name in METRICS if name in work.metrics)
    return {"accuracy_global": everywhere, **found.tally.table(asked)}


def _counted(learning: Learning, work: Evaluate, held: list[Ints], at_s: float) -> Tally:
    """Every client's samples by the model that serves it."""
    people, trainer = learning.world.population, learning.world.trainer
    tally = Tally(trainer.task, people.classes)
    for leaf in np.unique(work.home).tolist():
        mine = np.flatnonzero(work.home == leaf)
        own = _own(learning, work, leaf, mine, at_s)
        params, buffers = work.params[leaf], work.buffers[leaf]
        together = [(params, np.concatenate([held[i] for i in mine]))]
        for model, rows in together if own is None else zip(own, (held[i] for i in mine), strict=True):
            for out, y in trainer.answers(model, buffers, rows):
                tally.count(out, y)
    return tally


def _shared_right(learning: Learning, work: Evaluate, rows: Ints) -> tuple[Ints, Ints]:
    """Answers of each leaf's model on these samples that are right, `(leaves,)`, and how many there are to give."""
    right, tested = np.zeros(len(work.paths), np.int64), np.array(0)
    for leaf, (params, buffers) in enumerate(zip(work.params, work.buffers, strict=True)):
        correct, asked, _ = learning.world.trainer.evaluate(params, buffers, [rows])
        right[leaf], tested = correct[0], np.array(int(asked[0]))
    return right, tested


def _own(learning: Learning, work: Evaluate, leaf: int, rows: Ints, at_s: float) -> Floats | None:
    """The models of these clients' own, `(q, params)`, or None where they have none."""
    algorithm = learning.plan.algorithm
    if not isinstance(algorithm, Personal):
        return None
    clients = work.clients[rows]
    held = learning.world.population.train_at(clients, at_s)
    return learning.personal(algorithm.tuning, clients, work.params[leaf], work.buffers[leaf], held, 0)


def _shared(held: list[Ints], seed: int) -> Ints:
    """The test samples of all of them, each once; or as many as do for accuracies of ±0.4 points."""
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *held]))
    if every.size <= SHARED_TEST:
        return every
    return np.sort(stream(seed, "shared test set").choice(every, SHARED_TEST, replace=False))
