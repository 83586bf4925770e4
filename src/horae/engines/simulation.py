"""Clients on a virtual clock.

A heap of rounds keyed `(time, priority, counter)`; cohorts run side by side and never wait for each other. A round's
clients are trained when it ends, so that a round in flight is a small description of who will reply.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from horae.engines.answering import Here
from horae.engines.asking import Asking
from horae.engines.costs import Job
from horae.engines.flight import Flight, Straggler, abandoned, depart, straying, unfinished
from horae.engines.learning import Learning
from horae.engines.mailbox import Mailbox
from horae.engines.matching import Matching
from horae.engines.presence import Presence
from horae.engines.turns import Turns
from horae.engines.world import Cost, Pace, World
from horae.types import (
    Bools,
    Charge,
    CohortTree,
    Doubles,
    Feedback,
    Floats,
    Ints,
    Lockstep,
    Outcome,
    Path,
    Plan,
    Round,
    State,
)

__all__ = ["Cost", "Pace", "Simulation", "World"]


class Simulation:
    """The engine of a simulated population."""

    def __init__(self, plan: Plan, world: World, pace: Pace | None = None) -> None:
        self._plan, self._world, self._pace = plan, world, pace or Pace()
        self._learning = Learning(plan, world)
        here = Here(self._learning)
        self._matching = Matching(plan, world, here)
        self._turns = Turns((*plan.channels, plan.aggregation))
        self._presence = Presence(
            plan, self._matching, world.population.clients, self._pace.look, self._turns, self._idle,
            Mailbox() if self._pace.feedback == "next contact" else None,
        )  # fmt: skip
        self._asking = Asking(plan, world, here, self._matching, self._presence.some, self._pace.check_in_s)
        self._heap: list[tuple[float, int, int, Flight]] = []
        self._late: dict[Path, tuple[Straggler, ...]] = {}
        self._counter = 0
        self._now_s = 0.0
        self._busy_until: dict[int, float] = {}

    # ---------------------------------------------------------------- the verbs

    @property
    def now_s(self) -> float:
        """Simulated seconds since the run began."""
        return self._now_s

    @property
    def opens_s(self) -> float:
        """When a round that is started now opens: after the check-in, and what has been asked since the last one."""
        return self._now_s + self._pace.check_in_s + self._asking.lasts_s

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int) -> tuple[Ints, Doubles, Bools]:
        """Clients that will be online and idle when the window closes, and whose request leads here; in order of id."""
        return self._presence.check_in(tree, path, wanted, number, self._now_s)

    def gather(self, tree: CohortTree, wanted: int, number: int) -> Ints:
        """At most `wanted` idle online clients, whatever their cohort, in order of id: for a `Lockstep` clustering."""
        return self._presence.some(wanted, number)

    def route(self, tree: CohortTree, clients: Ints) -> Ints:
        """The leaf that serves each, as an index; where losses decide, measuring them is charged."""
        if isinstance(rule := self._plan.clustering, Lockstep) and rule.needs_losses and clients.size:
            self._asking.compared(clients, len(tree.paths()))
        return self._presence.route(tree, clients, self._now_s)

    def start(self, round: Round) -> None:
        """Work out who will reply, and when; nobody is trained yet."""
        fewest = max(1, min(self._pace.min_clients, round.quorum))
        late = self._late.get(round.path, ())
        flight = self._flight(round) if round.invited.size + len(late) >= fewest else self._nobody(round, fewest)
        self._counter += 1
        heapq.heappush(self._heap, (flight.at_s, 0, self._counter, flight))

    def finished(self) -> Iterator[Outcome]:
        """Rounds as they end; those kept are trained now."""
        while self._heap:
            self._now_s, _, _, flight = heapq.heappop(self._heap)
            self._asking.lasts_s = 0.0  # rounds that began together have waited for it
            charges = (*flight.charges, *self._billed())
            model = self._plan.data_plane.get(flight.round.model)
            outcome = self._learning.outcome(flight, model, charges, partial(self._models, flight.round))
            self._presence.heard(outcome.clients)
            yield outcome

    def carried(self, path: Path) -> int:
        """Clients of earlier rounds of this cohort that are still at work and may reply late."""
        return len(self._late.get(path, ()))

    def stays(self, clients: Ints, from_s: float, to_s: float) -> Bools:
        """Who is there for all of that time, `(clients,)`."""
        hours, seed = self._world.availability, self._plan.seed
        there: Bools = hours.online(clients, from_s, seed) & (hours.until(clients, from_s, seed) >= to_s)
        return there

    def ask(self, work: Any, *, charge: bool = True) -> Any:
        """Put a question to clients. What it costs is charged, and delays the rounds that begin next; observers' looks
        (charge=False) cost nothing.
        """
        return self._asking.answer(work, self._now_s, charge=charge)

    def tell(self, feedback: Feedback | None) -> None:
        """Clients read the message at their next check-in, which is the same as now, or with their next model
        (`engine.feedback`); its bytes are charged.
        """
        self._presence.tell(feedback)

    def homes(self, tree: CohortTree, clients: Ints) -> tuple[tuple[Path, ...], Ints]:
        """The leaf that each client would be served by, had it no wish to explore."""
        return self._matching.homes(tree, clients, self._now_s)

    def settle(self) -> tuple[Charge, ...]:
        """What no outcome has charged: messages since the last one, and rounds in flight as far as they went."""
        bills = [*self._billed()]
        for _, _, _, flight in self._heap:
            bills += unfinished(flight, self._now_s)
        bills += [abandoned(s, self._now_s) for late in self._late.values() for s in late]
        return tuple(bills)

    def snapshot(self) -> State:
        """Clock, rounds in flight with the models they train, who is busy, bills to come, and what clients remember."""
        flights = [flight for _, _, _, flight in self._heap]
        return {
            "now_s": self._now_s,
            "counter": self._counter,
            "heap": list(self._heap),
            "models": {flight.round.model.key: self._plan.data_plane.get(flight.round.model) for flight in flights},
            "late": dict(self._late),
            "busy": (np.array(list(self._busy_until), np.int64), np.array(list(self._busy_until.values()), np.float64)),
            "charges": [*self._presence.charges, *self._asking.charges],
            "delay_s": self._asking.lasts_s,
            "clients": self._matching.store.snapshot(),
            "mail": self._presence.snapshot(),
            "kept": self._learning.snapshot(),
            "turns": self._turns.snapshot(),
            "census": self._asking.counting.snapshot(),
        }

    def restore(self, state: State) -> None:
        """Back to a snapshot; the models are put on this run's data plane, under new names."""
        self._now_s, self._counter, self._presence.charges = state["now_s"], state["counter"], list(state["charges"])
        self._asking.charges, self._asking.lasts_s = [], state["delay_s"]
        self._heap = [(*key, self._relaunched(flight, state["models"])) for *key, flight in state["heap"]]
        self._late = dict(state["late"])
        self._busy_until = dict(zip(*(column.tolist() for column in state["busy"]), strict=True))
        self._matching.store.restore(state["clients"])
        self._presence.restore(state["mail"])
        self._learning.restore(state["kept"])
        self._turns.restore(state["turns"])
        self._asking.counting.restore(state["census"])

    def recall(self, clients: State) -> None:
        """What clients remember of another run, as that one's snapshot has it."""
        self._matching.store.restore(clients)

    def _relaunched(self, flight: Flight, models: dict[str, dict[str, Floats]]) -> Flight:
        model = self._plan.data_plane.put(models[flight.round.model.key], flight.round.path)
        return replace(flight, round=replace(flight.round, model=model))

    def _models(self, round: Round) -> dict[Path, Floats]:
        """This cohort's model and those of all that are in flight."""
        rounds = [round, *(flight.round for _, _, _, flight in self._heap)]
        return {r.path: self._plan.data_plane.get(r.model)["params"] for r in rounds}

    # ---------------------------------------------------------------- who is there

    def _idle(self, seen: Ints) -> Ints:
        """Those of them that will be online when the window closes, and are not at work."""
        now_s, busy = self._now_s, self._busy_until
        there = seen[self._world.availability.online(seen, now_s + self._pace.check_in_s, self._plan.seed)]
        return there[[busy.get(c, now_s) <= now_s for c in there.tolist()]] if busy else there

    # ---------------------------------------------------------------- a round

    def _nobody(self, round: Round, fewest: int) -> Flight:
        """An empty round, until it is tried again; or for good, where the clients have spent their participations."""
        over = self._turns.over(self._world.population.clients, fewest)
        ends_s = self._now_s + self._pace.retry_s + (self._plan.patience_s if over else 0.0)
        return Flight(round, self._now_s, ends_s, np.zeros(0, np.int64), np.zeros(0))

    def _flight(self, round: Round) -> Flight:
        """Who will reply, by their devices and hours; until then they are busy."""
        seed, invited, path = self._plan.seed, round.invited, round.path
        opens_s = self._now_s + self._pace.check_in_s + self._delay_s()
        job, late = self._learning.job(round, opens_s), self._late.pop(path, ())
        self._learning.shapes.hand_over(round)
        self._presence.sent(invited)
        durations = self._world.cost.seconds(job, self._world.devices.capacity(invited, seed))
        leaves_s = self._world.availability.until(invited, opens_s, seed) - opens_s
        flight = depart(round, opens_s, job, durations, leaves_s, late)
        self._turns.take(invited[flight.kept])
        free_s = np.minimum(opens_s + durations, flight.at_s)
        free_s[list(flight.left)] = (opens_s + durations)[list(flight.left)]
        self._busy_until = {c: t for c, t in self._busy_until.items() if t > self._now_s}
        self._busy_until |= dict(zip(invited.tolist(), free_s.tolist(), strict=True))
        if round.carry:
            self._carry(flight, late, self._plan.data_plane.get(round.model), job)
        return flight

    def _carry(self, flight: Flight, late: tuple[Straggler, ...], model: dict[str, Floats], job: Job) -> None:
        """Who goes on beyond the round's end, as long as a reply would still be used."""
        welcome = {id(s) for s in flight.late}
        strays = straying(flight, job, model["params"], model["buffers"])
        waiting = [*(s for s in late if id(s) not in welcome), *strays]
        number, most = flight.round.number + 1, flight.round.carry
        kept = tuple(s for s in waiting if number - s.round.number <= most)
        for s in waiting:
            if number - s.round.number > most:
                self._presence.charge(abandoned(s, flight.at_s))
        self._late[flight.round.path] = kept

    def _delay_s(self) -> float:
        """Seconds that answering has taken since the last round began; all cohorts of a shared round wait for it."""
        delay_s = self._asking.lasts_s
        if not isinstance(self._plan.clustering, Lockstep):
            self._asking.lasts_s = 0.0
        return delay_s

    def _billed(self) -> tuple[Charge, ...]:
        """What has been charged since this was asked last."""
        bills = (*self._presence.charges, *self._asking.charges)
        self._presence.charges, self._asking.charges = [], []
        return bills
