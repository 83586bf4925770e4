"""What clients answer outside rounds, where their samples are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from horae.engines.exploring import explore
from horae.engines.learning import Learning
from horae.engines.members import Deliver, delivered
from horae.engines.scoring import evaluate, examine, tallied
from horae.training import Work
from horae.types import (
    Doubles,
    Evaluate,
    Examine,
    Exploration,
    Explore,
    Ints,
    LabelCounts,
    Losses,
    Practice,
    Practise,
    Updates,
)


@dataclass(frozen=True)
class Tallied(Evaluate):
    """Ask for all that Examine's numbers are made of, client by client. The answer: `scoring.Tallies`."""


class Respond(Protocol):
    """Puts a question to its clients, who are named in it, and has their answers; nothing is charged."""

    def __call__(self, work: Any, at_s: float) -> Any:
        """at_s: the second that their clocks show."""


class Here:
    """Clients whose samples are in this process."""

    def __init__(self, learning: Learning) -> None:
        self._learning, self._world = learning, learning.world

    def __call__(self, work: Any, at_s: float) -> Any:
        """Errors: TypeError for what nobody can answer."""
        if isinstance(work, Tallied):
            return tallied(self._learning, work, at_s)
        if isinstance(work, Examine):
            return examine(self._learning, work, at_s)
        if isinstance(work, Evaluate):
            return evaluate(self._learning, work, at_s)
        if isinstance(work, Losses):
            return self._losses(work, at_s)
        if isinstance(work, LabelCounts):
            return self._label_counts(work, at_s)
        if isinstance(work, Practise):
            return self._practise(work, at_s)
        if isinstance(work, Explore):
            return self._explore(work, at_s)
        if isinstance(work, Deliver):
            return delivered(work, self._learning.plan, self._world.population, at_s)
        raise TypeError(f"the simulation cannot answer {type(work).__name__}: {self._world.trainer.path_name}")

    def _losses(self, work: Losses, at_s: float) -> Doubles:
        rows = self._world.population.train_at(work.clients, at_s)
        models = zip(work.params, work.buffers, strict=True)
        columns = [self._world.trainer.evaluate(*model, rows)[2] for model in models]
        return np.stack(columns, axis=1) if columns else np.zeros((work.clients.size, 0))

    def _label_counts(self, work: LabelCounts, at_s: float) -> Ints:
        people = self._world.population
        counts = [np.bincount(people.y[rows].ravel(), minlength=people.classes)[: people.classes]
                  for rows in people.train_at(work.clients, at_s)]  # fmt: skip
        return np.stack(counts) if counts else np.zeros((0, people.classes), np.int64)

    def _practise(self, work: Practise, at_s: float) -> Practice:
        assert work.clients is not None
        people = self._world.population
        job = Work(
            work.params, work.buffers, work.clients, people.train_at(work.clients, at_s), work.number, steps=work.steps,
        )  # fmt: skip
        done = self._learning.train(job)
        return Practice(work.clients, Updates(done.updates.copy()), people.train.sizes_of(work.clients), done.losses)

    def _explore(self, work: Explore, at_s: float) -> tuple[Exploration, Ints]:
        assert work.clients is not None
        return explore(work, work.clients, self._world.population.train_at(work.clients, at_s), self._learning)
