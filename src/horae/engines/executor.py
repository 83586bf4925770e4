"""Clients on an executor's workers, on the wall clock: the simulation's verbs over tasks, replies and a data plane.

One put per round and cohort, one task for each of the invited; a task's update lies on the plane under a key that the
controller chose, and is gone when its round has been learned from. Everybody who is not at work is there: hours and
devices of the experiment belong to the virtual clock and are not read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np

from horae.engines.aggregating import Aggregators
from horae.engines.answering import Here, Respond
from horae.engines.asking import Asking
from horae.engines.backends import Backend, backend_of
from horae.engines.dispatch import Dispatch
from horae.engines.errands import address_of, errands, refuse
from horae.engines.far import Far
from horae.engines.learning import Learning
from horae.engines.mailbox import Mailbox
from horae.engines.matching import Matching
from horae.engines.messages import ClientFailure, Recipe, Task
from horae.engines.outcomes import Flight, failures_told, outcome_of, unfinished
from horae.engines.presence import Presence
from horae.engines.relaying import Relay
from horae.engines.rounds import Clock, Rounds
from horae.engines.routes import Errands, Keeper, Post, Routes
from horae.engines.site import Site
from horae.engines.turns import Turns
from horae.engines.worker import lend, take_back
from horae.engines.world import Pace, World
from horae.errors import HoraeError, RunError
from horae.types import (
    Bools,
    Charge,
    CohortTree,
    Doubles,
    Feedback,
    Ints,
    Lockstep,
    Outcome,
    Path,
    Plan,
    Round,
    State,
)

BARREN = 3  # rounds in a row in which everybody failed: then it is not the clients


class Distributed:
    """The engine of an executor's workers. world: the population as the controller knows it. Where it has a copy of the
    data that copy answers what is asked outside of rounds ("emulated endpoints"); with `Routes` the sites are asked.

    post: what carries messages, in place of the site's executor. keeper: where clients keep their own affinity records;
    then letters go with their tasks, and records come with their replies.
    """

    def __init__(
        self, plan: Plan, world: World, site: Site, recipe: Recipe | Routes, pace: Pace | None = None,
        backend: Backend | None = None, post: Post | None = None, keeper: Keeper | None = None,
    ) -> None:  # fmt: skip
        refuse(plan, isinstance(recipe, Routes))
        self._plan, self._world, self._site, self._pace = plan, world, site, pace or Pace()
        backend = backend or backend_of(Site("inline") if post else site)
        self._post: Post = post or Dispatch(backend, site, lambda task: self._rounds.forget(task))
        self._clock, self._tokens, self._keeper = Clock(), itertools.count(), keeper
        self._rounds = Rounds(plan, self._post, self._clock, site.in_step, self._pace.retry_s)
        self._tree = Aggregators(site, plan, backend)
        self._learning, self._address = Learning(plan, world), address_of(plan)
        self._errands: Errands | None = None
        self._lent: Recipe | None = None
        relay: Relay | None = None
        respond: Respond = Here(self._learning)
        if isinstance(recipe, Routes):
            rounds, next_token = self._rounds, self._tokens.__next__
            self._recipe_of = recipe.recipe
            self._errands = Errands(
                plan, site, self._post, recipe, rounds.hear, next_token, lambda: self.now_s, rounds.apart
            )
            relay = Relay(self._errands, recipe.owner, lambda failure: self._unread.append(failure))
            respond = Far(self._errands, recipe.owner, world.trainer.task, world.population.classes)
        else:
            here = self._lent = recipe if recipe.build else Recipe("", uuid4().hex)  # it stands for this world alone
            self._recipe_of = lambda client: here
            lend(here, plan, world, self._address)
        self._matching = Matching(plan, world, respond)
        self._turns = Turns((*plan.channels, plan.aggregation))
        self._presence = Presence(
            plan, self._matching, world.population.clients, self._pace.look, self._turns, self._idle,
            Mailbox() if keeper or self._pace.feedback == "next contact" else None,
        )  # fmt: skip
        self._asking = Asking(plan, world, respond, self._matching, self._presence.some, 0.0, relay)
        self._unread: list[ClientFailure] = []
        self._barren = 0

    # ---------------------------------------------------------------- the verbs

    @property
    def now_s(self) -> float:
        """Seconds since the run began, waiting for nothing left out."""
        return self._clock.now_s

    @property
    def opens_s(self) -> float:
        """At once."""
        return self.now_s

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int) -> tuple[Ints, Doubles, Bools]:
        """Idle clients whose request leads here, in order of id; looked at in random order, as in the simulation."""
        return self._presence.check_in(tree, path, wanted, number, self.now_s)

    def gather(self, tree: CohortTree, wanted: int, number: int) -> Ints:
        """At most `wanted` idle clients, whatever their cohort, in order of id: for a `Lockstep` clustering."""
        return self._presence.some(wanted, number)

    def route(self, tree: CohortTree, clients: Ints) -> Ints:
        """The leaf that serves each, as an index; where losses decide, measuring them is charged."""
        if isinstance(rule := self._plan.clustering, Lockstep) and rule.needs_losses and clients.size:
            self._asking.compared(clients, len(tree.paths()))
        return self._presence.route(tree, clients, self.now_s)

    def start(self, round: Round) -> None:
        """Queue a task for each of the invited; they are sent when somebody waits for the round."""
        token, now_s = next(self._tokens), self.now_s
        fewest = max(1, min(self._pace.min_clients, round.quorum))
        if round.invited.size < fewest:
            over = self._turns.over(self._world.population.clients, fewest)
            self._rounds.flights[token] = Flight(round, now_s, skip_s=self._plan.patience_s + 1 if over else 0.0)
            return
        job = self._learning.job(round, now_s)
        self._learning.shapes.hand_over(round)
        self._presence.sent(round.invited)
        sent = errands(self._plan, round, self._recipe_of, self._site, token, now_s, self._letters, self._rounds.apart)
        tasks = {e.row: e.task for e in sent.errands if isinstance(e.task, Task)}
        self._rounds.flights[token] = Flight(round, now_s, job, sent.extras, sent.models, tasks)
        self._post.add(sent.errands)

    def finished(self) -> Iterator[Outcome]:
        """Rounds in the order in which their quorums are reached."""
        for flight, unsent, out in self._rounds.ended():
            outcome, arrivals = outcome_of(flight, self._plan, self._world, self._learning, out, self.now_s)
            self._turns.take(outcome.clients)
            self._unread += self._remember(flight, outcome.clients)
            self._barren = self._barren + 1 if outcome.empty and flight.failures else 0
            if self._barren >= BARREN:
                raise RunError(f"nobody could train in {BARREN} rounds in a row ({flight.failures[0]})")
            try:
                bills, news = (*outcome.charges, *self._billed()), (*outcome.news, *self._silent(flight.round))
                yield self._tree.over(replace(outcome, charges=bills, news=news), flight)
            finally:
                self._rounds.release(flight, arrivals, [e.task for e in unsent])

    def carried(self, path: Path) -> int:
        """Nobody: late replies are not used."""
        return 0

    def stays(self, clients: Ints, from_s: float, to_s: float) -> Bools:
        """Everybody, as far as is known."""
        return np.ones(clients.size, bool)

    def ask(self, work: Any, *, charge: bool = True) -> Any:
        """Answered by the controller's own copy of the population, as in the simulation."""
        return self._asking.answer(work, self.now_s, charge=charge)

    def tell(self, feedback: Feedback | None) -> None:
        """Clients read the message at their next check-in; its bytes are charged."""
        self._presence.tell(feedback)

    def homes(self, tree: CohortTree, clients: Ints) -> tuple[tuple[Path, ...], Ints]:
        """The leaf that each client would be served by, had it no wish to explore."""
        return self._matching.homes(tree, clients, self.now_s)

    def settle(self) -> tuple[Charge, ...]:
        """What no outcome has charged: messages since the last one, and what rounds in flight have cost so far."""
        bills = [*self._billed(), *self._tree.billed()]
        for token, flight in self._rounds.flights.items():
            _, out = self._post.drop(token)
            bills += unfinished(flight, out)
        return tuple(bills)

    def snapshot(self) -> State:
        """Clock, rounds in flight with the models they train, bills to come, and what clients remember."""
        flights = list(self._rounds.flights.values())
        return {
            "now_s": self.now_s,
            "rounds": [flight.round for flight in flights],
            "models": {flight.round.model.key: self._plan.data_plane.get(flight.round.model) for flight in flights},
            "charges": [*self._presence.charges, *self._asking.charges, *self._tree.charges],
            "clients": self._matching.store.snapshot(),
            "mail": self._presence.snapshot(),
            "turns": self._turns.snapshot(),
            "census": self._asking.counting.snapshot(),
        }

    def restore(self, state: State) -> None:
        """Back to a snapshot: its rounds in flight are begun again."""
        self._clock.skip(state["now_s"] - self.now_s)
        self._presence.charges, self._asking.charges = list(state["charges"]), []
        self._matching.store.restore(state["clients"])
        self._presence.restore(state["mail"])
        self._turns.restore(state["turns"])
        self._asking.counting.restore(state["census"])
        for round in state["rounds"]:
            model = self._plan.data_plane.put(state["models"][round.model.key], round.path)
            self.start(replace(round, model=model))

    def recall(self, clients: State) -> None:
        """What clients remember of another run, as that one's snapshot has it."""
        self._matching.store.restore(clients)

    def close(self) -> None:
        """End the executor, and leave nothing on the data plane; twice is no error."""
        self._post.close()
        self._asking.counting.close()
        self._rounds.close()
        if self._lent is not None:
            take_back(self._lent, self._address)

    # ---------------------------------------------------------------- a round

    def _idle(self, seen: Ints) -> Ints:
        """Those of them that are at work for nobody."""
        busy = self._rounds.busy
        return seen[[c not in busy for c in seen.tolist()]] if busy else seen

    def _letters(self, client: int) -> bytes:
        """What waits for a client that keeps its own record."""
        return b"" if self._keeper is None else self._keeper.letters(client, self._presence.waiting(client))

    def _remember(self, flight: Flight, clients: Ints) -> tuple[ClientFailure, ...]:
        """These clients have read what came with their model: by their word, where they keep their own records. Who
        sends none that can be read is asked again at random.
        """
        self._presence.heard(clients, apply=self._keeper is None)
        unread = []
        for row in flight.kept.tolist() if self._keeper else ():
            client, record = int(flight.round.invited[row]), flight.replies[row].record
            try:
                if record and self._keeper:
                    self._matching.store.put(self._keeper.record(record, client))
            except HoraeError as error:
                unread.append(ClientFailure.of(client, error))
        return tuple(unread)

    def _silent(self, round: Round) -> list[dict[str, object]]:
        """Who has not answered a question since the last outcome, or not so that it can be read, for the log."""
        failures, self._unread = self._unread, []
        if self._errands is not None:
            failures, self._errands.failures = [*failures, *self._errands.failures], []
        return failures_told(round, failures)

    def _billed(self) -> tuple[Charge, ...]:
        bills = (*self._presence.charges, *self._asking.charges)
        self._presence.charges, self._asking.charges = [], []
        return bills
