"""What simulated clients are asked outside rounds, and what answering costs them."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np

from horae.engines.costs import BACKWARD, Job
from horae.engines.counting import Counting
from horae.engines.exploring import explore
from horae.engines.learning import Learning
from horae.engines.matching import Matching
from horae.engines.scoring import evaluate, examine
from horae.engines.world import World
from horae.pure.streams import stream
from horae.training import Work
from horae.types import (
    Booked,
    Census,
    Charge,
    Evaluate,
    Examine,
    Exploration,
    Explore,
    Groups,
    Ints,
    LabelCounts,
    Layers,
    Losses,
    Plan,
    Practice,
    Practise,
    Speeds,
    Updates,
)

COUNT_NBYTES = 4  # of one number


class Asking:
    """Answers, with what they cost: charges, and the seconds until the slowest has answered.

    present: draws up to n clients that are there once the check-in closes, in check_in_s seconds.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        learning: Learning,
        matching: Matching,
        present: Callable[[int, int], Ints],
        check_in_s: float,
    ) -> None:
        self._plan, self._world, self._learning, self._matching = plan, world, learning, matching
        self._present, self._check_in_s = present, check_in_s
        self.counting = Counting(plan, world, matching, present)
        self.charges: list[Charge] = []
        self.lasts_s = 0.0

    def answer(self, work: Any, now_s: float, *, charge: bool) -> Any:
        """The answer to one kind of question. Errors: TypeError for another, or where looking on would cost."""
        people, trainer = self._world.population, self._world.trainer
        if isinstance(work, Groups):
            return people.planted
        if isinstance(work, Layers):
            return trainer.anatomy
        if isinstance(work, Speeds):
            return self._world.devices.capacity(self._anybody(work), self._plan.seed)
        if isinstance(work, Evaluate):
            if charge:
                raise TypeError("an evaluation is an observer's look: ask with charge=False")
            if isinstance(work, Examine):
                return examine(self._learning, work, now_s)
            return evaluate(self._learning, work, now_s)
        if isinstance(work, LabelCounts):
            return self._label_counts(work, now_s, charge)
        if isinstance(work, Losses):
            models = list(zip(work.params, work.buffers, strict=True))
            if charge:
                self._bill(work.purpose, work.clients, passes=len(models), down=len(models), up_nbytes=len(models) * 4)
            return self._matching.losses(work.clients, models, now_s)
        if isinstance(work, Practise):
            return self._practise(work, now_s, charge)
        if isinstance(work, Booked):
            self.charges += work.charges
            return None
        if isinstance(work, Census):
            found, bills = self.counting.count(work, now_s + self._check_in_s)
            self.charges += bills
            return found
        if isinstance(work, Explore):
            return self._explore(work, now_s, charge)
        raise TypeError(f"the simulation cannot answer {type(work).__name__}: {trainer.path_name}")

    def compared(self, clients: Ints, models: int) -> None:
        """These clients have measured their loss under so many models, which they fetched; the one of these that they
        train is charged to the round that follows.
        """
        self._bill("losses", clients, passes=models, down=models - 1, up_nbytes=0)

    def _practise(self, work: Practise, now_s: float, charge: bool) -> Practice:
        clients = self._present(work.n, work.number) if work.clients is None else work.clients
        people, trainer = self._world.population, self._world.trainer
        job = Work(
            work.params, work.buffers, clients, people.train_at(clients, now_s), work.number, steps=work.steps,
        )  # fmt: skip
        done = self._learning.train(job)
        if charge:
            sizes = people.train.sizes_of(clients)
            samples = work.steps * np.minimum(trainer.training.batch, sizes) if work.steps else done.processed
            self._spend(work.purpose, clients, samples * BACKWARD, 1, 4 * round(work.sent * trainer.n_params))
        return Practice(clients, Updates(done.updates.copy()), people.train.sizes_of(clients), done.losses)

    def _explore(self, work: Explore, now_s: float, charge: bool) -> Exploration:
        people, n_params = self._world.population, self._world.trainer.n_params
        wanted = ceil(work.share * people.clients)
        clients = self._present(wanted, work.number) if work.clients is None else work.clients
        found, samples = explore(work, clients, people.train_at(clients, now_s), self._learning)
        if charge:
            self._spend(work.purpose, np.sort(clients), samples * BACKWARD, 1, 4 * n_params * len(work.sums))
        return found

    def _anybody(self, work: Speeds) -> Ints:
        if work.clients is not None:
            return work.clients
        total = self._world.population.clients
        return np.sort(stream(self._plan.seed, "speeds").choice(total, min(work.n, total), replace=False))

    def _label_counts(self, work: LabelCounts, now_s: float, charge: bool) -> np.ndarray[Any, Any]:
        people = self._world.population
        counts = [np.bincount(people.y[rows].ravel(), minlength=people.classes)[: people.classes]
                  for rows in people.train_at(work.clients, now_s)]  # fmt: skip
        if charge:
            self._spend("labels", work.clients, np.zeros(work.clients.size, np.int64), 0, COUNT_NBYTES * people.classes)
        return np.stack(counts) if counts else np.zeros((0, people.classes), np.int64)

    def _bill(self, purpose: str, clients: Ints, passes: int, down: int, up_nbytes: int) -> None:
        self._spend(purpose, clients, passes * self._world.population.train.sizes_of(clients), down, up_nbytes)

    def _spend(self, purpose: str, clients: Ints, samples: Ints, down: int, up_nbytes: int) -> None:
        """Write down what some clients did. samples `(q,)`: forward passes; a training pass is three."""
        trainer = self._world.trainer
        nbytes = 4 * (trainer.n_params + trainer.initial_buffers.size) * down
        job = Job(
            samples // BACKWARD, int(samples.max(initial=0)) // BACKWARD, trainer.flops_per_sample, nbytes, up_nbytes
        )
        took = self._world.cost.seconds(job, self._world.devices.capacity(clients, self._plan.seed))
        self.lasts_s = max(self.lasts_s, float(np.max(took, initial=0.0)))
        flops = int(samples.sum()) * trainer.flops_per_sample
        n = clients.size
        self.charges.append(Charge(purpose, n, up_nbytes * n, nbytes * n, flops, float(took.sum()), flops))
