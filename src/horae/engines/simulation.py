"""Clients on a virtual clock.

A heap of rounds keyed `(time, priority, counter)`; cohorts run side by side and never wait for each other. A round's
clients are trained when it ends, so that a round in flight is a small description of who will reply.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from horae.alignment import Off
from horae.engines.costs import Job
from horae.engines.flight import Flight, depart, unfinished
from horae.engines.scoring import evaluate, examine
from horae.engines.store import ClientStore
from horae.engines.turns import Turns
from horae.engines.wire import send, wire_nbytes
from horae.errors import HoraeError, RunError, one_line, require
from horae.population import Population
from horae.population.harm import Harm, false_claims
from horae.pure.streams import stream, uniforms
from horae.training import Trained, Trainer, Work
from horae.types import (
    Availability,
    Bools,
    Capacity,
    Charge,
    CohortTree,
    Devices,
    Doubles,
    Evaluate,
    Examine,
    Feedback,
    Floats,
    Groups,
    Ints,
    Outcome,
    Path,
    Plan,
    Round,
    Sceptic,
    State,
    Updates,
    Wishes,
)

ATTEMPTS = 3  # at a round's training
BLOCK = 256  # clients looked at together


class Cost(Protocol):
    """How long a participation lasts."""

    def seconds(self, job: Job, capacity: Capacity) -> Doubles:
        """Duration of each client's participation, `(clients,)`."""


@dataclass(frozen=True)
class World:
    """Who the clients are: their data, devices and hours, the trainer that stands in for them, and what work costs."""

    population: Population
    devices: Devices
    availability: Availability
    trainer: Trainer
    cost: Cost
    harm: Harm = field(default_factory=Harm)


@dataclass(frozen=True)
class Pace:
    """The `[engine]` table: how a round goes on the virtual clock.

    check_in_s: the window in which clients report before a round begins. retry_s: how long a cohort that found nobody
    waits. look: clients looked at per participant wanted, at most. min_clients: fewest participants a round begins
    with.
    """

    check_in_s: float = 1800.0
    retry_s: float = 60.0
    look: int = 64
    min_clients: int = 2

    def __post_init__(self) -> None:
        require(self.check_in_s >= 0, "engine.check_in_s", "be >= 0", self.check_in_s)
        require(self.retry_s > 0, "engine.retry_s", "be > 0", self.retry_s)
        require(self.look >= 1, "engine.look", "be >= 1", self.look)
        require(self.min_clients >= 1, "engine.min_clients", "be >= 1", self.min_clients)


class Simulation:
    """The engine of a simulated population."""

    def __init__(self, plan: Plan, world: World, pace: Pace | None = None) -> None:
        self._plan, self._world, self._pace = plan, world, pace or Pace()
        forgets = partial(world.harm.forgets, seed=plan.seed) if world.harm.lost_affinity else None
        self._store = ClientStore(world.population.groups, forgets)
        self._turns = Turns(plan.channels)
        self._heap: list[tuple[float, int, int, Flight]] = []
        self._counter = 0
        self._now_s = 0.0
        self._busy_until: dict[int, float] = {}
        self._charges: list[Charge] = []

    # ---------------------------------------------------------------- the verbs

    @property
    def now_s(self) -> float:
        """Simulated seconds since the run began."""
        return self._now_s

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int) -> tuple[Ints, Doubles, Bools]:
        """Clients that will be online and idle when the window closes, and whose request leads here; in order of id.

        Clients are looked at in random order, `BLOCK` at a time, until there are twice as many as wanted or look x
        wanted were looked at: what a round costs does not grow with the population.
        """
        total, most = self._world.population.clients, self._pace.look * wanted
        rng = stream(self._plan.seed, "check-in", number, *path)
        order = rng.permutation(total)[:most] if total <= 4096 else rng.choice(total, min(total, most), replace=False)
        self._busy_until = {c: t for c, t in self._busy_until.items() if t > self._now_s}
        found: list[tuple[Ints, Doubles, Bools]] = [(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))]
        for first in range(0, order.size, BLOCK):
            found.append(self._requests(tree, path, np.sort(order[first : first + BLOCK])))
            if sum(clients.size for clients, _, _ in found) >= 2 * wanted:
                break
        clients, claims, exploring = (np.concatenate(column) for column in zip(*found, strict=True))
        rows = np.argsort(clients)
        return clients[rows], claims[rows], exploring[rows]

    def start(self, round: Round) -> None:
        """Work out who will reply, and when; nobody is trained yet."""
        fewest = max(1, min(self._pace.min_clients, round.quorum))
        flight = self._flight(round) if round.invited.size >= fewest else self._nobody(round, fewest)
        self._counter += 1
        heapq.heappush(self._heap, (flight.at_s, 0, self._counter, flight))

    def finished(self) -> Iterator[Outcome]:
        """Rounds as they end; those kept are trained now."""
        while self._heap:
            self._now_s, _, _, flight = heapq.heappop(self._heap)
            yield self._outcome(flight)

    def ask(self, work: Any, *, charge: bool = True) -> Any:
        """Evaluate models on clients' test samples, or name the planted groups: observers' looks, which cost nothing.

        Work that clients would be charged for cannot be asked for yet.
        """
        if charge and isinstance(work, Evaluate):
            raise TypeError("the simulation cannot charge an evaluation yet; ask with charge=False")
        if isinstance(work, Groups):
            return self._world.population.planted
        people, trainer = self._world.population, self._world.trainer
        if isinstance(work, Examine):
            return examine(people, trainer, work, self._now_s, self._plan.seed)
        if isinstance(work, Evaluate):
            return evaluate(people, trainer, work, self._now_s)
        raise TypeError(f"the simulation cannot answer {type(work).__name__}")

    def tell(self, feedback: Feedback | None) -> None:
        """Clients read the message at their next check-in, which is the same as now; its bytes are charged."""
        if feedback is None:
            return
        self._store.make_room(feedback)
        self._store.write(self._plan.clustering.react(self._store.records(feedback.clients), feedback))
        self._charge(Charge("affinity", nbytes_down=feedback.nbytes * feedback.clients.size))

    def homes(self, tree: CohortTree, clients: Ints) -> tuple[tuple[Path, ...], Ints]:
        """The leaf that each client would be served by, had it no wish to explore."""
        wishes = self._plan.clustering.request(self._store.records(clients), tree, self._plan.seed, explore=False)
        wishes, leaves = self._believed(tree, wishes, clients), tree.paths()
        return leaves, self._resolve(tree, wishes.paths, wishes.choice, clients)

    def settle(self) -> tuple[Charge, ...]:
        """What no outcome has charged: messages since the last one, and rounds in flight as far as they went."""
        bills = [*self._charges]
        for _, _, _, flight in self._heap:
            bills += unfinished(flight, self._now_s)
        self._charges = []
        return tuple(bills)

    def snapshot(self) -> State:
        """Clock, rounds in flight with the models they train, who is busy, bills to come, and what clients remember."""
        flights = [flight for _, _, _, flight in self._heap]
        return {
            "now_s": self._now_s,
            "counter": self._counter,
            "heap": list(self._heap),
            "models": {flight.round.model.key: self._plan.data_plane.get(flight.round.model) for flight in flights},
            "busy": (np.array(list(self._busy_until), np.int64), np.array(list(self._busy_until.values()), np.float64)),
            "charges": list(self._charges),
            "clients": self._store.snapshot(),
            "turns": self._turns.snapshot(),
        }

    def restore(self, state: State) -> None:
        """Back to a snapshot; the models are put on this run's data plane, under new names."""
        self._now_s, self._counter, self._charges = state["now_s"], state["counter"], list(state["charges"])
        self._heap = [(*key, self._relaunched(flight, state["models"])) for *key, flight in state["heap"]]
        self._busy_until = dict(zip(*(column.tolist() for column in state["busy"]), strict=True))
        self._store.restore(state["clients"])
        self._turns.restore(state["turns"])

    def recall(self, clients: State) -> None:
        """What clients remember of another run, as that one's snapshot has it."""
        self._store.restore(clients)

    def _relaunched(self, flight: Flight, models: dict[str, dict[str, Floats]]) -> Flight:
        model = self._plan.data_plane.put(models[flight.round.model.key], flight.round.path)
        return replace(flight, round=replace(flight.round, model=model))

    # ---------------------------------------------------------------- matching

    def _requests(self, tree: CohortTree, path: Path, seen: Ints) -> tuple[Ints, Doubles, Bools]:
        """Those of `seen` that will be there and ask for this leaf. Whoever asks sends a request, wherever it leads."""
        opens_s = self._now_s + self._pace.check_in_s
        there = seen[self._world.availability.online(seen, opens_s, self._plan.seed)]
        idle = there[[c not in self._busy_until for c in there.tolist()]] if self._busy_until else there
        idle = idle[self._turns.left(idle)]
        wishes = self._plan.clustering.request(self._store.records(idle), tree, self._plan.seed, explore=True)
        wishes = self._believed(tree, self._said(tree, wishes, idle), idle)
        here = self._served(tree, wishes.paths, wishes.choice, idle, path)
        self._charge(Charge("affinity", nbytes_up=int(wishes.nbytes.sum())))
        return idle[here], wishes.claims[here], wishes.exploring[here]

    def _said(self, tree: CohortTree, wishes: Wishes, clients: Ints) -> Wishes:
        """What these clients ask for aloud: some claim falsely (`[harm]`)."""
        harm, seed = self._world.harm, self._plan.seed
        if not harm.false_claims or tree.width == 1:
            return wishes
        truth = self._plan.clustering.request(self._store.records(clients), tree, seed, explore=False)
        own = self._resolve(tree, truth.paths, truth.choice, clients)
        return false_claims(wishes, tree.paths(), own, harm.lies(clients, seed), clients, seed)

    def _believed(self, tree: CohortTree, wishes: Wishes, clients: Ints) -> Wishes:
        """What of it the coordinator believes."""
        clustering = self._plan.clustering
        if isinstance(clustering, Sceptic):
            wishes = clustering.believe(wishes, tree, clients, self._plan.seed)
        return wishes

    def _served(self, tree: CohortTree, paths: tuple[Path, ...], choice: Ints, clients: Ints, path: Path) -> Bools:
        served: Bools = self._resolve(tree, paths, choice, clients) == tree.paths().index(path)
        return served

    def _resolve(self, tree: CohortTree, paths: tuple[Path, ...], choice: Ints, clients: Ints) -> Ints:
        """The leaf that serves each wish, as an index into the leaves; only stale wishes need more than a look-up."""
        index = {leaf: i for i, leaf in enumerate(tree.paths())}
        table = np.array([index.get(path, -1) for path in paths], np.int64)
        served = table[choice]
        for row in np.flatnonzero(served < 0).tolist():
            client = clients[row : row + 1]
            record = self._store.records(client)
            cluster = dict(zip(record.paths, record.cluster[0].tolist(), strict=True))
            u = float(uniforms(self._plan.seed, "resolve", client)[0])
            served[row] = index[tree.resolve(paths[choice[row]], cluster, u)]
        return served

    # ---------------------------------------------------------------- a round

    def _nobody(self, round: Round, fewest: int) -> Flight:
        """An empty round, until it is tried again; or for good, where the clients have spent their participations."""
        over = self._turns.over(self._world.population.clients, fewest)
        ends_s = self._now_s + self._pace.retry_s + (self._plan.patience_s if over else 0.0)
        return Flight(round, self._now_s, ends_s, np.zeros(0, np.int64), np.zeros(0))

    def _flight(self, round: Round) -> Flight:
        """Who will reply, by their devices and hours; until then they are busy."""
        seed, invited = self._plan.seed, round.invited
        opens_s = self._now_s + self._pace.check_in_s
        job = self._job(round)
        durations = self._world.cost.seconds(job, self._world.devices.capacity(invited, seed))
        leaves_s = self._world.availability.until(invited, opens_s, seed) - opens_s
        flight = depart(round, opens_s, job, durations, leaves_s)
        free_s = np.minimum(opens_s + durations, flight.at_s)
        self._turns.take(invited[flight.kept])
        self._busy_until |= dict(zip(invited.tolist(), free_s.tolist(), strict=True))
        return flight

    def _job(self, round: Round) -> Job:
        trainer, sizes = self._world.trainer, self._world.population.train.sizes_of(round.invited)
        kept = trainer.n_params if round.submodel is None else int(round.submodel.keep.sum())
        mask = 0 if round.submodel is None else -(-trainer.n_params // 8)
        extra = 4 * trainer.initial_buffers.size
        return Job(
            n_samples=trainer.training.n_processed(sizes),
            planned=trainer.training.n_planned,
            flops_per_sample=trainer.flops_per_sample * kept // max(trainer.n_params, 1),
            nbytes_down=4 * kept + mask + extra,
            nbytes_up=wire_nbytes(self._plan.channels, kept) + extra,
        )

    def _outcome(self, flight: Flight) -> Outcome:
        """Train those that were kept, pass their updates through the channels, and hand everything over."""
        round, clients = flight.round, flight.round.invited[flight.kept]
        trainer, keep = self._world.trainer, None if flight.round.submodel is None else flight.round.submodel.keep
        charges = (*flight.charges, *self._charges)
        self._charges = []
        if clients.size == 0:
            empty = np.zeros((0, trainer.n_params), np.float32)
            none = np.zeros(0)
            return Outcome(
                round, flight.started_s, flight.at_s, clients, Updates(empty), trainer.initial_buffers, clients, none,
                none, none, none.astype(bool), flight.stragglers, flight.dropouts, charges,
            )  # fmt: skip
        model = self._plan.data_plane.get(round.model)
        work = Work(
            model["params"], model["buffers"], clients, self._views(round, clients, flight.started_s),
            round.number, round.path, round.lr_scale, round.correction, keep,
        )  # fmt: skip
        done = self._trained(work)
        rows = self._through_channels(round, clients, done.updates)
        samples = self._world.population.train.sizes_of(clients)
        shares = (samples / max(samples.sum(), 1)).astype(np.float32)
        return Outcome(
            round, flight.started_s, flight.at_s, clients, Updates(rows), shares @ done.buffers, samples, done.losses,
            flight.durations_s[flight.kept], round.claims[flight.kept], round.exploring[flight.kept],
            flight.stragglers, flight.dropouts, charges,
        )  # fmt: skip

    def _trained(self, work: Work) -> Trained:
        """A round's training; one that fails is done again from the cohort's model, which nothing has changed. Errors:
        RunError.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._world.trainer.train(work)
            except HoraeError:
                raise
            except Exception as error:
                which = f"round {work.round} of cohort {'.'.join(map(str, (0, *work.path)))}"
                why = one_line(f"{type(error).__name__}: {error}", 160)
                if attempt == ATTEMPTS:
                    raise RunError(f"{which} failed {ATTEMPTS} times ({why})") from error
                logging.getLogger(__name__).warning("%s failed (%s) and is done again", which, why)
        raise AssertionError  # one of the two happened

    def _views(self, round: Round, clients: Ints, at_s: float) -> list[Ints]:
        """The dataset rows that clients train on: their own, or their own re-organised by the alignment."""
        rows = self._world.population.train_at(clients, at_s)
        if isinstance(self._plan.alignment, Off):
            return rows
        views = []
        for client, own in zip(clients.tolist(), rows, strict=True):
            rng = stream(self._plan.seed, "alignment", round.number, *round.path, client)
            arranged = self._plan.alignment.arrange(self._world.population.y[own], rng)
            views.append(own if arranged is None else own[arranged])
        return views

    def _through_channels(self, round: Round, clients: Ints, updates: Floats) -> Floats:
        if not self._plan.channels:
            return updates
        out = np.empty_like(updates)
        for row, client in enumerate(clients.tolist()):
            rng = stream(self._plan.seed, "channel", round.number, *round.path, client)
            small = updates[row] if round.submodel is None else round.submodel.gather(updates[row])
            read, _ = send(self._plan.channels, small, rng)
            out[row] = read if round.submodel is None else round.submodel.scatter(read)
        return out

    def _charge(self, charge: Charge) -> None:
        if charge.nbytes_up or charge.nbytes_down:
            self._charges.append(charge)
