"""What each family promises: the verbs of its members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from horae.pure.anatomy import Anatomy
from horae.pure.tree import CohortTree, Path, Verdict
from horae.types.arrangement import Arrangement
from horae.types.masks import Held
from horae.types.values import (
    Arrays,
    Bools,
    Capacity,
    Charge,
    Correction,
    Doubles,
    Feedback,
    Floats,
    Ints,
    News,
    Outcome,
    Payload,
    Records,
    Ref,
    Round,
    State,
    Tuning,
    Updates,
    Wishes,
)


class Ask(Protocol):
    """How components and observers put work to clients; `charge=False` is for observers and moves neither clock nor
    ledger.
    """

    def __call__(self, work: Any, *, charge: bool = True) -> Any:
        """Do `work` (Evaluate, Groups, ...) and hand back its answer."""


class Stays(Protocol):
    """Who is there from one second to another."""

    def __call__(self, clients: Ints, from_s: float, to_s: float) -> Bools:
        """For all of that time, `(clients,)`."""


class Measured(Protocol):
    """What clients' losses are."""

    def __call__(self, clients: Ints) -> Doubles:
        """Their mean training losses, `(clients,)`."""


class Clock(Protocol):
    """When a run is over."""

    def spent(self, participations: int, simulated_s: float, nbytes: int) -> float:
        """The share of the budget that is used, 1 when it is all."""


class Algorithm(Protocol):
    """What the server does with updates."""

    def init(self, params: Floats) -> State:
        """The server optimiser's first state."""

    def correction(self, state: State) -> Correction:
        """What bends local training this round."""

    def weigh(self, outcome: Outcome) -> Doubles:
        """One weight per participant, `(q,)`; they need not sum to one."""

    def step(self, state: State, params: Floats, direction: Floats, outcome: Outcome) -> tuple[Floats, State]:
        """One server step along the weighted mean update `direction (params,)`."""


@runtime_checkable
class Keeping(Protocol):
    """An algorithm whose clients keep a vector of their own between rounds, `(params,)` each, zero at first.

    The engine holds it for simulated clients. vectors: how many travel with the model, and with the update.
    """

    @property
    def vectors(self) -> tuple[int, int]:
        """Down and up."""

    def bend(self, correction: Correction, kept: Floats) -> Correction:
        """What bends these clients' training, by row. kept `(q, params)`. Runs at the client."""

    def keep(
        self, correction: Correction, kept: Floats, updates: Floats, steps: Ints, lr: float
    ) -> tuple[Floats, Floats]:
        """What they keep from now on, and what they send beside their updates, `(q, params)` each. Runs at the client.

        correction: the round's, before `bend`; steps `(q,)`: local steps that were taken; lr: the learning rate.
        """


@runtime_checkable
class Personal(Protocol):
    """An algorithm whose clients are tested on models of their own."""

    @property
    def tuning(self) -> Tuning:
        """How these are made."""


class Aggregation(Protocol):
    """How a round's updates become one direction."""

    def combine(self, updates: Updates, weights: Doubles, rng: np.random.Generator) -> Floats:
        """The direction `(params,)`. weights `(q,)`: the algorithm's, which sum to one."""


@runtime_checkable
class Weighing(Protocol):
    """An algorithm whose weights are its method: no aggregation may pass over them."""

    @property
    def weighs_by(self) -> str:
        """By what, in a word."""


@runtime_checkable
class Levelling(Protocol):
    """An aggregation that may count all clients alike, whatever the algorithm's weights."""

    @property
    def levels(self) -> bool:
        """Does it?"""


@runtime_checkable
class Late(Protocol):
    """An algorithm or a selector that uses replies which come too late for their round.

    staleness: how many rounds late a reply may come.
    """

    @property
    def staleness(self) -> int:
        """0: none is used."""


class Selector(Protocol):
    """Who, of those who are there and want this cohort, is invited."""

    def init(self) -> State:
        """The selector's first state."""

    def offers(self, n: int) -> int:
        """How many candidates it would like to look at to invite n."""

    def pick(self, state: State, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """At most n distinct candidates, for the same rng the same ones. now_s: when the round will open."""

    def learn(self, state: State, outcome: Outcome) -> State:
        """What the round taught about its participants."""


class Clustering(Protocol):
    """Which clients train a model together."""

    def init(self) -> State:
        """What a new cohort knows about its inside: nothing."""

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """The tree before the first round."""

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """Which cohort each client asks for; with explore=False the one it would be scored on. Runs at the client."""

    def react(self, records: Records, feedback: Feedback) -> Records:
        """The records of `feedback.clients` after reading the message. Runs at the client."""

    def ready(self, tree: CohortTree, running: frozenset[Path]) -> list[Path]:
        """Which leaves may start a round now."""

    def quota(self, tree: CohortTree, n: int) -> dict[Path, int]:
        """How many of n participants each leaf trains with; they sum to n."""

    def learn(self, state: State, outcome: Outcome, tree: CohortTree) -> tuple[State, Feedback | None]:
        """What the round taught about who belongs here."""

    def reshape(self, state: State, path: Path, tree: CohortTree, participants: int, spent: float) -> list[Verdict]:
        """Splits to carry out, and the reasons for those that are not.

        participants: how many train per round in all cohorts together; spent: share of the budget used, in [0, 1].
        """


@runtime_checkable
class Suited(Protocol):
    """A pruning that not every model has the parts for."""

    def fits(self, anatomy: Anatomy) -> None:
        """Refuse a model that cannot be pruned so. Errors: ConfigError."""


@runtime_checkable
class Uneven(Protocol):
    """A pruning whose clients may train different weights in one round."""

    @property
    def uneven(self) -> bool:
        """Do they?"""


@runtime_checkable
class Searching(Protocol):
    """A clustering that compares updates of one cohort over many rounds."""

    def searching(self, tree: CohortTree, spent: float) -> bool:
        """May a cohort still be split? Until then its clients train the same weights in all rounds."""


@runtime_checkable
class Forecasting(Protocol):
    """A selector that goes by how long clients will stay."""

    def pick_staying(
        self, state: State, candidates: Ints, n: int, now_s: float, rng: np.random.Generator, stays: Stays
    ) -> Ints:
        """As `pick`; stays(clients, from_s, to_s): who is there for all of that time, `(clients,)`."""


@runtime_checkable
class LossReading(Protocol):
    """A selector that goes by its candidates' losses under the cohort's model, at the price of asking for them."""

    def pick_by_loss(
        self, state: State, candidates: Ints, n: int, now_s: float, rng: np.random.Generator, losses: Measured
    ) -> Ints:
        """As `pick`; losses(clients): their mean training losses, `(clients,)`."""


@runtime_checkable
class Pacing(Protocol):
    """A selector that has some of the invited work more, or send less."""

    def efforts(self, state: State, invited: Ints) -> tuple[Doubles, Doubles]:
        """Times the usual local steps, and the share of its update that each sends, `(invited,)` each."""


@runtime_checkable
class Lockstep(Protocol):
    """A clustering whose cohorts train in rounds that they share, and whose server knows each client it met.

    What it knows lies in `tree.common`. The clients of a round are drawn from all that are there, whatever their
    cohort; a cohort's participants are those of them whom `request` sends there, which reads `offers.common`.
    """

    @property
    def needs_losses(self) -> bool:
        """True where `request` wants each client's loss under every leaf's model, which costs downloads and passes."""

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """Before they are asked for wishes: newcomers among these may be asked for something, at their cost."""

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """All cohorts' rounds of a shared round are over: the cohorts from now on, and the reasons."""


@runtime_checkable
class Tethering(Protocol):
    """A clustering whose cohorts are held at a model that they share: local training adds strength (w - model).

    What sending that model costs is for the clustering to charge.
    """

    def tether(self, tree: CohortTree) -> tuple[float, Floats] | None:
        """Strength and model; None for no hold."""


@runtime_checkable
class Sceptic(Protocol):
    """A clustering whose coordinator does not believe every request."""

    def believe(self, wishes: Wishes, tree: CohortTree, clients: Ints, seed: int) -> Wishes:
        """The requests of these clients as they are served. Runs at the coordinator."""


class Pruning(Protocol):
    """Which weights are trained and sent."""

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, State]:
        """The model to begin with, and the first state. Clients may be asked, at their cost; params stay as they are.

        Errors: ConfigError where this model cannot be pruned so.
        """

    def plan(self, state: State, number: int, invited: Ints, ask: Ask) -> Held | None:
        """The weights that each of these clients trains in this round; None is all of them."""

    def learn(self, state: State, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool) -> tuple[Floats, State]:
        """The model to go on with after a round's server step, and what the round taught about the weights.

        frozen: the cohort is being looked into, and every change of its masks would blur what is seen.
        """


class Alignment(Protocol):
    """On which of its own samples a client trains, given a population whose labels it may only know in sum.

    tells: the server hears how many samples each client trained on.
    """

    @property
    def tells(self) -> bool:
        """See above."""

    def begin(self, seed: int) -> State:
        """What is known before the first round, of all cohorts: nothing."""

    def target(self, state: State, path: Path) -> Doubles | None:
        """The share of each label `(classes,)` that this cohort's participants are told; None: not known yet."""

    def arrange(self, labels: Ints, target: Doubles, rng: np.random.Generator) -> Arrangement:
        """The client's view of its own samples. Runs at the client."""

    def learn(self, state: State, outcome: Outcome, tree: CohortTree, ask: Ask) -> tuple[State, tuple[News, ...]]:
        """A round is over: clients may be counted. Also what there is to tell the log."""


class Channel(Protocol):
    """What happens to an update on its way to the server.

    A payload is an array or a flat dictionary of arrays: its bytes are the wire's.
    """

    def encode(self, payload: Payload, rng: np.random.Generator) -> Payload:
        """At the client.

        The first channel sees the update's living weights `(kept,)`; the payload's size must not depend on its
        values.
        """

    def decode(self, payload: Payload) -> Payload:
        """At the server, in reverse order; the last to decode hands back `(kept,)` float32."""


@runtime_checkable
class Metered(Protocol):
    """A channel or an aggregation that counts how often a client takes part, for every update costs it privacy."""

    @property
    def visits(self) -> int:
        """The most updates that one client may send, 0 for any number."""

    def spent(self, visits: int) -> dict[str, float | int | None]:
        """What is told about a client that sent so many updates, by name."""


class DataPlane(Protocol):
    """Where arrays lie while they travel. A run in one process needs no more than put, get, evict and stats.

    Errors: PlaneError.
    """

    @property
    def address(self) -> str:
        """How another process reaches it: horae.data_planes.attach(address)."""

    def put(self, arrays: Arrays, owner: Path) -> Ref:
        """Keep the arrays, hand back their name."""

    def reserve(self, owner: Path, what: str, lease_s: float = float("inf")) -> str:
        """A key under which somebody else will put something; after lease_s nobody waits for it any more."""

    def put_as(self, key: str, arrays: Arrays) -> Ref:
        """Keep the arrays under a reserved key: what a worker does."""

    def get(self, ref: Ref, timeout_s: float = 60.0) -> Arrays:
        """The arrays of that name, read-only."""

    def evict(self, ref: Ref | str) -> None:
        """Forget them, by name or by key; doing so twice is no error."""

    def keys(self) -> list[str]:
        """The keys under which something lies now."""

    def sweep(self) -> int:
        """Evict what nobody waits for any more: leases that ran out, and what came after its key was evicted."""

    def stats(self) -> dict[str, int]:
        """Objects held now, bytes put from here, and how often was put, got and evicted."""

    def close(self) -> None:
        """Nothing of this run is left afterwards."""


class Devices(Protocol):
    """What clients run on."""

    def capacity(self, clients: Ints, seed: int) -> Capacity:
        """Speed and bandwidth of these clients: depends on id and seed alone."""


class Availability(Protocol):
    """When clients are there."""

    def online(self, clients: Ints, at_s: float, seed: int) -> Bools:
        """Who is online at that second: depends on id, second and seed alone."""

    def until(self, clients: Ints, at_s: float, seed: int) -> Doubles:
        """When each of these clients, online now, goes offline (seconds, may be inf)."""


class Engine(Protocol):
    """Where the clients live and whose clock it is."""

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""

    @property
    def opens_s(self) -> float:
        """When a round that is started now will send its model."""

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int) -> tuple[Ints, Doubles, Bools]:
        """Idle online clients whose request led to this leaf: ids, claims, exploring.

        Looks at a bounded number of clients.
        """

    def start(self, round: Round) -> None:
        """Send the round to its invited clients."""

    def gather(self, tree: CohortTree, wanted: int, number: int) -> Ints:
        """At most `wanted` idle online clients, whatever their cohort: for a `Lockstep` clustering."""

    def route(self, tree: CohortTree, clients: Ints) -> Ints:
        """The leaf that serves each of these, as an index."""

    def carried(self, path: Path) -> int:
        """Clients of earlier rounds of this cohort that are still at work and may reply late."""

    def stays(self, clients: Ints, from_s: float, to_s: float) -> Bools:
        """Who is there for all of that time, `(clients,)`."""

    def finished(self) -> Iterator[Outcome]:
        """Outcomes in the order in which rounds end, until none is running."""

    def ask(self, work: Any, *, charge: bool = True) -> Any:
        """Put work to clients outside a round."""

    def settle(self) -> tuple[Charge, ...]:
        """What no outcome has charged yet, when a run is over."""

    def tell(self, feedback: Feedback | None) -> None:
        """Pass an affinity message on to its clients."""

    def homes(self, tree: CohortTree, clients: Ints) -> tuple[tuple[Path, ...], Ints]:
        """The leaf each client would be served by, as (leaves, index into them)."""

    def snapshot(self) -> State:
        """Everything the engine needs to go on, rounds in flight included."""

    def restore(self, state: State) -> None:
        """Back to a snapshot, in an engine made for the same plan."""


class Recorder(Protocol):
    """What is written down about a run."""

    def round(self, outcome: Outcome, tree: CohortTree, verdicts: Sequence[Verdict], feedback: Feedback | None) -> None:
        """A round ended; this is what its cohort told the participants (None: nothing) and what it decided."""
