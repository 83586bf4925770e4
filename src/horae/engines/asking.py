"""What simulated clients are asked outside rounds, and what answering costs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

from horae.engines.answering import Respond
from horae.engines.costs import BACKWARD, Job
from horae.engines.counting import Counting
from horae.engines.matching import Matching
from horae.engines.relaying import Relay
from horae.engines.world import World
from horae.pure.streams import stream
from horae.types import (
    Booked,
    Census,
    Charge,
    Evaluate,
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
)

COUNT_NBYTES = 4  # of one number


class Asking:
    """Answers, with what they cost: charges, and the seconds until the slowest has answered.

    respond: puts questions to clients wherever they are. present: draws up to n clients that are there once the
    check-in closes, in check_in_s seconds. relay: to the members of a census at their sites.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        respond: Respond,
        matching: Matching,
        present: Callable[[int, int], Ints],
        check_in_s: float,
        relay: Relay | None = None,
    ) -> None:
        self._plan, self._world, self._respond = plan, world, respond
        self._present, self._check_in_s = present, check_in_s
        self.counting = Counting(plan, world, matching, present, relay)
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
        if isinstance(work, Booked):
            self.charges += work.charges
            return None
        if isinstance(work, Census):
            found, bills = self.counting.count(work, now_s + self._check_in_s)
            self.charges += bills
            return found
        if isinstance(work, Evaluate) and charge:
            raise TypeError("an evaluation is an observer's look: ask with charge=False")
        if isinstance(work, Losses) and charge:
            models = len(work.params)
            self._bill(work.purpose, work.clients, passes=models, down=models, up_nbytes=models * COUNT_NBYTES)
        if isinstance(work, Practise):
            return self._practise(work, now_s, charge)
        if isinstance(work, Explore):
            return self._explore(work, now_s, charge)
        answer = self._respond(work, now_s)
        if isinstance(work, LabelCounts) and charge:
            none = np.zeros(work.clients.size, np.int64)
            self._spend("labels", work.clients, none, 0, COUNT_NBYTES * people.classes)
        return answer

    def compared(self, clients: Ints, models: int) -> None:
        """These clients have measured their loss under so many models, which they fetched; the one of these that they
        train is charged to the round that follows.
        """
        self._bill("losses", clients, passes=models, down=models - 1, up_nbytes=0)

    def _practise(self, work: Practise, now_s: float, charge: bool) -> Practice:
        clients = self._present(work.n, work.number) if work.clients is None else work.clients
        people, trainer = self._world.population, self._world.trainer
        found: Practice = self._respond(replace(work, clients=clients), now_s)
        if charge:
            sizes, training = people.train.sizes_of(clients), trainer.training
            samples = work.steps * np.minimum(training.batch, sizes) if work.steps else training.n_processed(sizes)
            self._spend(work.purpose, clients, samples * BACKWARD, 1, 4 * round(work.sent * trainer.n_params))
        return found

    def _explore(self, work: Explore, now_s: float, charge: bool) -> Exploration:
        people, n_params = self._world.population, self._world.trainer.n_params
        wanted = ceil(work.share * people.clients)
        clients = self._present(wanted, work.number) if work.clients is None else work.clients
        found, samples = self._respond(replace(work, clients=clients), now_s)
        if charge:
            answered = np.sort(clients) if samples.size == clients.size else found.clients
            self._spend(work.purpose, answered, samples * BACKWARD, 1, 4 * n_params * len(work.sums))
        told: Exploration = found
        return told

    def _anybody(self, work: Speeds) -> Ints:
        if work.clients is not None:
            return work.clients
        total = self._world.population.clients
        return np.sort(stream(self._plan.seed, "speeds").choice(total, min(work.n, total), replace=False))

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
