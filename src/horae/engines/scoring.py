"""How well cohorts' models do: on each client's own test samples, and on everybody's."""

from __future__ import annotations

import numpy as np

from horae.population import Population
from horae.pure.streams import stream
from horae.training import Trainer
from horae.training.metrics import METRICS, Tally
from horae.types import Evaluate, Evaluation, Examine, Ints

SHARED_TEST = 65_536  # samples of the test set that all models share, at most


def evaluate(people: Population, trainer: Trainer, work: Evaluate, at_s: float) -> Evaluation:
    """Each client's own test samples by its own leaf's model, a batch per leaf."""
    n = work.clients.size
    correct, tested, losses = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n)
    for leaf in np.unique(work.home).tolist():
        rows = np.flatnonzero(work.home == leaf)
        held = people.test_at(work.clients[rows], at_s)
        correct[rows], tested[rows], losses[rows] = trainer.evaluate(work.params[leaf], work.buffers[leaf], held)
    return Evaluation(correct, tested, losses)


def examine(people: Population, trainer: Trainer, work: Examine, at_s: float, seed: int) -> dict[str, float]:
    """The task's own metric and those asked for over all clients' test samples, each by its own leaf's model; and
    `accuracy_global`: the accuracy of those models on everybody's test samples together, averaged over clients.
    """
    if not work.clients.size:
        return {}
    held = people.test_at(work.clients, at_s)
    own, shared = Tally(trainer.task, people.classes), _shared(held, seed)
    everywhere = 0.0
    for leaf in np.unique(work.home).tolist():
        mine = np.flatnonzero(work.home == leaf)
        model = (work.params[leaf], work.buffers[leaf])
        for out, y in trainer.answers(*model, np.concatenate([held[i] for i in mine])):
            own.count(out, y)
        correct, tested, _ = trainer.evaluate(*model, [shared])
        everywhere += mine.size * float(correct[0]) / max(int(tested[0]), 1)
    asked = tuple(name for name in METRICS if name in work.metrics)
    return {"accuracy_global": everywhere / work.clients.size, **own.table(asked)} if shared.size else {}


def _shared(held: list[Ints], seed: int) -> Ints:
    """The test samples of all of them, each once; or as many as do for accuracies of ±0.4 points."""
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *held]))
    if every.size <= SHARED_TEST:
        return every
    return np.sort(stream(seed, "shared test set").choice(every, SHARED_TEST, replace=False))
