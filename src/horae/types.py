"""The words every part of horae speaks: rounds, outcomes, feedback, and the protocol of each family.

A component is a frozen dataclass of hyper-parameters. Its state is a value that is passed in and handed back, and
that a cohort forks when it splits. On the server a model is one flat float32 vector `(params,)` and a round's updates
are rows `(clients, params)`; only the trainer knows layers.

In names, `clients` are ids and `rows` are positions; `_s` is seconds, `nbytes` bytes, `n_samples` samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from horae.pure.tree import ROOT, Cohort, CohortTree, Path, Split, Stay, Verdict

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Payload = Any  # an array, or a flat dictionary of arrays
TaskName = Literal["classification", "next-token", "regression"]
State = Any  # a component's own value, never shared between cohorts: see pure.packing for what it may be made of

UNKNOWN = -1  # a label, cluster or group that nobody knows

__all__ = [
    "ROOT",
    "UNKNOWN",
    "Algorithm",
    "Alignment",
    "Ask",
    "Availability",
    "Bools",
    "Capacity",
    "Channel",
    "Charge",
    "Clock",
    "Clustering",
    "Cohort",
    "CohortTree",
    "Correction",
    "DataPlane",
    "Devices",
    "Doubles",
    "Engine",
    "Evaluate",
    "Evaluation",
    "Examine",
    "Feedback",
    "Floats",
    "Groups",
    "Ints",
    "Metered",
    "Outcome",
    "Path",
    "Payload",
    "Plan",
    "Pruning",
    "Recorder",
    "Records",
    "Ref",
    "Round",
    "Sceptic",
    "Selector",
    "Split",
    "State",
    "Stay",
    "Submodel",
    "TaskName",
    "Updates",
    "Verdict",
    "Wishes",
]


@dataclass(frozen=True)
class Correction:
    """What bends local training, as data: the local gradient becomes g + prox (w - w0) + drift.

    prox: strength of the pull towards the round's starting model w0 (FedProx). drift: `(params,)` for all clients, or
    `(clients, params)` by row (SCAFFOLD); None is zero.
    """

    prox: float = 0.0
    drift: Floats | None = None


@dataclass(frozen=True)
class Submodel:
    """The only bridge between the dense model and the weights that are trained and sent.

    keep: `(params,)` bool, True where a weight lives. Dropped weights are exactly zero on the client and in its update.
    """

    version: int
    keep: Bools

    def gather(self, full: Floats) -> Floats:
        """The living weights of `full (..., params)`, in index order: `(..., kept)`."""
        small: Floats = full[..., self.keep]
        return small

    def scatter(self, small: Floats) -> Floats:
        """`small (..., kept)` back in full index space, zero where a weight was dropped."""
        full = np.zeros((*small.shape[:-1], self.keep.size), np.float32)
        full[..., self.keep] = small
        return full


@dataclass(frozen=True)
class Ref:
    """A name for arrays held by a data plane."""

    key: str
    nbytes: int


@dataclass(frozen=True)
class Round:
    """One cohort's round as it is handed to the engine.

    path, number: which cohort, and its how-manieth round. model: the data plane's name for {"params", "buffers"}.
    invited `(n,)`: client ids, already more than the quorum. quorum: how many replies end the round. deadline_s: the
    longest it may last. claims `(n,)`: the reward each invited client claims for this cohort, NaN for none. exploring
    `(n,)`: True where the client came by chance and not by preference.
    """

    path: Path
    number: int
    model: Ref
    invited: Ints
    quorum: int
    deadline_s: float
    claims: Doubles
    exploring: Bools
    correction: Correction = field(default_factory=Correction)
    submodel: Submodel | None = None
    lr_scale: float = 1.0


@dataclass(frozen=True)
class Charge:
    """What something cost, by purpose; the ledger adds these up. flops counts multiply and add as two."""

    purpose: str
    participations: int = 0
    nbytes_up: int = 0
    nbytes_down: int = 0
    flops: int = 0
    client_s: float = 0.0


@dataclass(frozen=True)
class Updates:
    """A round's updates w_client - w_round, one row per participant.

    Ask questions; do not assume that the rows are in memory.
    """

    rows: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def combine(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`, summed in client order."""
        total: Floats = weights.astype(np.float32) @ self.rows
        return total

    def norms(self) -> Doubles:
        """The L2 norm of each update, `(clients,)`; not finite where an update is not, or is absurdly large."""
        with np.errstate(over="ignore", invalid="ignore"):
            norms: Doubles = np.sqrt(np.einsum("qp,qp->q", self.rows, self.rows)).astype(np.float64)
        return norms

    def only(self, rows: Bools) -> Updates:
        """The updates of some participants."""
        return Updates(self.rows[rows])

    def sketch(self, dims: int) -> Floats:
        """The updates in at most `dims` coordinates, inner products kept on average: `(clients, min(params, dims))`.

        Few parameters come back as they are. More are folded: coordinate i is added, with a fixed random sign, to
        i mod dims. That reads every update once, and all rounds of a run share one space.
        """
        params = self.rows.shape[1]
        if params <= dims:
            return self.rows
        signs, whole = _signs(params, dims), params // dims * dims
        folded: Floats = np.empty((len(self.rows), dims), np.float32)
        for row, out in zip(self.rows, folded, strict=True):
            np.einsum("kj,kj->j", row[:whole].reshape(-1, dims), signs[:whole].reshape(-1, dims), out=out)
        folded[:, : params - whole] += self.rows[:, whole:] * signs[whole:]
        return folded

    def along(self, ways: Floats) -> Floats:
        """Inner products with some directions `(ways, params)`: `(clients, ways)`."""
        inner: Floats = self.rows @ ways.T
        return inner

    def gram(self) -> Floats:
        """All inner products, `(clients, clients)`."""
        gram: Floats = self.rows @ self.rows.T
        return gram

    def columns(self, part: slice) -> Floats:
        """A slice of coordinates of every update, `(clients, width)`."""
        return self.rows[:, part]


@lru_cache(maxsize=4)
def _signs(params: int, dims: int) -> Floats:
    rng = np.random.default_rng(np.random.SeedSequence(params, spawn_key=(dims,)))
    return rng.choice(np.array([-1.0, 1.0], np.float32), params)


@dataclass(frozen=True)
class Outcome:
    """A finished round: what the quorum sent back, in the order of `clients`.

    at_s: simulated (or wall) time of its end. clients `(q,)`: ids of the participants kept. updates: their rows.
    buffers: the average of their buffers. samples `(q,)`: samples each client holds for training. losses `(q,)`: mean
    training loss. durations_s `(q,)`. claims, exploring `(q,)`: as invited. charges: what everything since the last
    outcome cost. refused:
    how many updates were not finite.
    """

    round: Round
    started_s: float
    at_s: float
    clients: Ints
    updates: Updates
    buffers: Floats
    samples: Ints
    losses: Doubles
    durations_s: Doubles
    claims: Doubles
    exploring: Bools
    stragglers: int = 0
    dropouts: int = 0
    charges: tuple[Charge, ...] = ()
    refused: int = 0

    def healthy(self) -> Outcome:
        """The same without the participants whose update is not finite: one diverged client must not spoil a model."""
        ok = np.isfinite(self.updates.norms())
        if ok.all():
            return self
        columns = ("clients", "samples", "losses", "durations_s", "claims", "exploring")
        kept: dict[str, Any] = {name: getattr(self, name)[ok] for name in columns}
        return replace(self, **kept, updates=self.updates.only(ok), refused=int((~ok).sum()))

    @property
    def empty(self) -> bool:
        """True for a round to which nobody replied: ordinary, and nothing changes but the clock."""
        return self.clients.size == 0


@dataclass(frozen=True)
class Feedback:
    """Auxo's affinity message, by column: what a cohort tells clients about themselves (Auxo 5.1).

    reward `(clients,)`: ΔR of this visit, NaN where there is none. cluster `(clients,)`: index of the client's
    cluster inside the cohort, UNKNOWN where there is none. leaves: the leaves there are now, so that the client knows
    what it may wish for. towards `(clients,)`: index of the leaf that a client's update points to, UNKNOWN for none.
    visit: 1 after a visit, 0 for news of a split.
    """

    path: Path
    clients: Ints
    reward: Doubles
    cluster: Ints
    leaves: tuple[Path, ...]
    towards: Ints
    visit: int = 1

    @property
    def nbytes(self) -> int:
        """Bytes of one message: path and leaves with a length byte each, a float32 reward, two index bytes."""
        return 1 + len(self.path) + 4 + 2 + sum(1 + len(leaf) for leaf in self.leaves)


@dataclass(frozen=True)
class Records:
    """What some clients remember of the cohorts, by column; the clients hold it, not the server (Auxo 5.1).

    paths: the cohorts that have a column. reward `(clients, cohorts)`: R, averaged over visits. cluster `(clients,
    cohorts)`: the client's cluster inside that cohort or UNKNOWN. visits `(clients, cohorts)`: how often it trained
    there. heard `(clients, cohorts)`: True where the client has heard of that cohort. group `(clients,)`:
    the planted truth, for `oracle` alone.
    """

    clients: Ints
    paths: tuple[Path, ...]
    reward: Doubles
    cluster: Ints
    visits: Ints
    heard: Bools
    group: Ints


@dataclass(frozen=True)
class Wishes:
    """The affinity requests of some clients.

    choice `(clients,)`: an index into `paths`. claims `(clients,)`: the reward claimed there, NaN for none. exploring
    `(clients,)`: True where chance or curiosity chose. nbytes `(clients,)`: what the request adds to a check-in; zero
    where nothing is sent.
    """

    paths: tuple[Path, ...]
    choice: Ints
    claims: Doubles
    exploring: Bools
    nbytes: Ints


@dataclass(frozen=True)
class Capacity:
    """What clients' devices can do: ms per sample and local pass of the reference model, and bandwidth in kbit/s,
    both `(clients,)`.
    """

    ms_per_sample: Doubles
    kbps: Doubles


@dataclass(frozen=True)
class Evaluate:
    """Ask clients for the test accuracy of one model each.

    models: params by path; home `(clients,)`: index into `paths`.
    """

    clients: Ints
    paths: tuple[Path, ...]
    params: tuple[Floats, ...]
    buffers: tuple[Floats, ...]
    home: Ints


@dataclass(frozen=True)
class Evaluation:
    """Answers to Evaluate.

    correct, tested `(clients,)` count test samples; losses `(clients,)` are mean test losses.
    """

    correct: Ints
    tested: Ints
    losses: Doubles


@dataclass(frozen=True)
class Examine(Evaluate):
    """Ask how these models do on all those clients' test samples together. The answer: numbers by name.

    metrics: those to be told beside the task's own, of "top5", "f1", "precision", "recall".
    """

    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Groups:
    """Ask which planted groups there are. The answer: sorted ids, empty where nothing is planted."""


class Ask(Protocol):
    """How components and observers put work to clients; `charge=False` is for observers and moves neither clock nor
    ledger.
    """

    def __call__(self, work: Any, *, charge: bool = True) -> Any:
        """Do `work` (Evaluate, Groups, ...) and hand back its answer."""


class Clock(Protocol):
    """When a run is over."""

    def spent(self, participations: int, simulated_s: float, nbytes: int) -> float:
        """The share of the budget that is used, 1 when it is all."""


@dataclass(frozen=True)
class Plan:
    """What a run is made of: one member of each family, and the numbers that belong to the loop.

    participants: per round, shared by all cohorts. overcommit: invited / quorum. linear_lr: scale the
    learning rate by a cohort's share of the participants. deadline_s: the longest a round may last. patience_s: how
    long nobody may come before the run is given up, in simulated seconds. later: (share of the budget, participants
    from then on).
    """

    seed: int
    participants: int
    overcommit: float
    budget: Clock
    algorithm: Algorithm
    selector: Selector
    clustering: Clustering
    pruning: Pruning
    alignment: Alignment
    channels: tuple[Channel, ...]
    data_plane: DataPlane
    linear_lr: bool = False
    deadline_s: float = 3600.0
    patience_s: float = 30 * 86400.0
    later: tuple[float, int] = (1.0, 0)

    def participants_at(self, spent: float) -> int:
        """Participants per round when this share of the budget is used."""
        since, more = self.later
        return more if spent >= since and more else self.participants


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


class Selector(Protocol):
    """Who, of those who are there and want this cohort, is invited."""

    def init(self) -> State:
        """The selector's first state."""

    def offers(self, n: int) -> int:
        """How many candidates it would like to look at to invite n."""

    def pick(self, state: State, candidates: Ints, n: int, now_s: float, rng: np.random.Generator) -> Ints:
        """At most n distinct candidates, for the same rng the same ones."""

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
class Sceptic(Protocol):
    """A clustering whose coordinator does not believe every request."""

    def believe(self, wishes: Wishes, tree: CohortTree, clients: Ints, seed: int) -> Wishes:
        """The requests of these clients as they are served. Runs at the coordinator."""


class Pruning(Protocol):
    """Which weights are trained and sent."""

    def init(self, params: Floats, seed: int) -> State:
        """The first state."""

    def plan(self, state: State, path: Path, number: int) -> Submodel | None:
        """The weights that live in this round; None is all of them."""

    def learn(self, state: State, outcome: Outcome) -> State:
        """What the round taught about the weights."""


class Alignment(Protocol):
    """On which of its own samples a client trains. Runs at the client."""

    def arrange(self, labels: Ints, rng: np.random.Generator) -> Ints | None:
        """Positions into the client's own samples (repeats allowed), or None for all as they are."""


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
    """A channel that counts how often a client takes part, for every update costs it privacy."""

    @property
    def visits(self) -> int:
        """The most updates that one client may send, 0 for any number."""

    def spent(self, visits: int) -> dict[str, float | int | None]:
        """What is told about a client that sent so many updates, by name."""


class DataPlane(Protocol):
    """Where arrays lie while they travel."""

    def put(self, arrays: dict[str, Floats], owner: Path) -> Ref:
        """Keep the arrays, hand back their name."""

    def get(self, ref: Ref) -> dict[str, Floats]:
        """The arrays of that name, read-only."""

    def evict(self, ref: Ref) -> None:
        """Forget them; doing so twice is no error."""

    def stats(self) -> dict[str, int]:
        """Objects and bytes held now."""


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

    def check_in(self, tree: CohortTree, path: Path, wanted: int, number: int) -> tuple[Ints, Doubles, Bools]:
        """Idle online clients whose request led to this leaf: ids, claims, exploring.

        Looks at a bounded number of clients.
        """

    def start(self, round: Round) -> None:
        """Send the round to its invited clients."""

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
