"""Rounds, outcomes, feedback: what goes from one part of horae to another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from horae.pure.tree import Path
from horae.types.masks import Held

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Arrays = dict[str, NDArray[Any]]  # by name
Payload = Any  # an array, or a flat dictionary of arrays
TaskName = Literal["classification", "next-token", "regression"]
News = dict[str, Any]  # an event for the log: plain data, with its name under "event"
State = Any  # a component's own value, never shared between cohorts: see pure.packing for what it may be made of

UNKNOWN = -1  # a label, cluster or group that nobody knows


@dataclass(frozen=True)
class Correction:
    """What bends local training, as data: the local gradient becomes g + prox (w - w0) + drift.

    prox: strength of the pull towards the round's starting model w0 (FedProx). drift: `(params,)` for all clients, or
    `(clients, params)` by row (SCAFFOLD); None is zero.
    """

    prox: float = 0.0
    drift: Floats | None = None


@dataclass(frozen=True)
class Ref:
    """A name for arrays held by a data plane: small, and the same in every process.

    nbytes: of the arrays. checksum: CRC32 of the packed bytes, 0 where nothing is packed. codec: how they are packed.
    address: how another process reaches the plane.
    """

    key: str
    nbytes: int
    checksum: int = 0
    codec: str = ""
    address: str = ""


@dataclass(frozen=True)
class Round:
    """One cohort's round as it is handed to the engine.

    path, number: which cohort, and its how-manieth round. model: the data plane's name for {"params", "buffers"}.
    invited `(n,)`: client ids, already more than the quorum. quorum: how many replies end the round. deadline_s: the
    longest it may last. claims `(n,)`: the reward each invited client claims for this cohort, NaN for none. exploring
    `(n,)`: True where the client came by chance and not by preference. carry: how many rounds late a reply may come.
    efforts, sent `(n,)`: times the usual steps, and the share of its update that a client sends; None: 1. held: the
    weights that the invited train; None: all. target `(classes,)`: the share of each label that clients align to.
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
    target: Doubles | None = None
    held: Held | None = None
    lr_scale: float = 1.0
    carry: int = 0
    efforts: Doubles | None = None
    sent: Doubles | None = None


@dataclass(frozen=True)
class Charge:
    """What something cost, by purpose; the ledger adds these up.

    flops counts multiply and add as two, as the model's shape has them; sparse_flops: those that would be left if zeros
    cost nothing. client_s: seconds of all clients together.
    """

    purpose: str
    participations: int = 0
    nbytes_up: int = 0
    nbytes_down: int = 0
    flops: int = 0
    client_s: float = 0.0
    sparse_flops: int = 0


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
        flip, whole = signs(params, dims), params // dims * dims
        folded: Floats = np.empty((len(self.rows), dims), np.float32)
        for row, out in zip(self.rows, folded, strict=True):
            np.einsum("kj,kj->j", row[:whole].reshape(-1, dims), flip[:whole].reshape(-1, dims), out=out)
        folded[:, : params - whole] += self.rows[:, whole:] * flip[whole:]
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
def signs(params: int, dims: int) -> Floats:
    """The signs with which a sketch adds coordinates up, `(params,)`; the same for all rounds."""
    rng = np.random.default_rng(np.random.SeedSequence(params, spawn_key=(dims,)))
    return rng.choice(np.array([-1.0, 1.0], np.float32), params)


@dataclass(frozen=True)
class Outcome:
    """A finished round: what the quorum sent back, in the order of `clients`.

    at_s: simulated (or wall) time of its end. clients `(q,)`: ids of the participants kept. updates: their rows.
    buffers: the average of their buffers. samples `(q,)`: samples each client holds for training. losses `(q,)`: mean
    training loss. durations_s `(q,)`. claims, exploring `(q,)`: as invited. charges: what everything since the last
    outcome cost. refused:
    how many updates were not finite. staleness `(q,)`: rounds that the cohort finished since a client took its model;
    None: nobody is late. steps `(q,)`: local steps. lr: the round's local learning rate. extra `(params,)`: the mean of
    what a `Keeping` algorithm's clients sent beside their updates. population: all clients.
    seen: the updates as they had been without what bent them, for the clustering; None: the updates themselves.
    held: the weights that each participant trained; None: all. news: what else the log is told.
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
    staleness: Ints | None = None
    steps: Ints | None = None
    lr: float = 0.0
    extra: Floats | None = None
    seen: Updates | None = None
    population: int = 0
    held: Held | None = None
    news: tuple[News, ...] = ()

    def healthy(self) -> Outcome:
        """The same without the participants whose update is not finite: one diverged client must not spoil a model."""
        ok = np.isfinite(self.updates.norms())
        if ok.all():
            return self
        columns = ("clients", "samples", "losses", "durations_s", "claims", "exploring", "staleness", "steps")
        kept: dict[str, Any] = {name: c[ok] for name in columns if (c := getattr(self, name)) is not None}
        seen = None if self.seen is None else self.seen.only(ok)
        held = None if self.held is None else self.held.only(ok)
        return replace(self, **kept, updates=self.updates.only(ok), seen=seen, held=held, refused=int((~ok).sum()))

    @property
    def unbent(self) -> Outcome:
        """The same with the updates that a clustering should read."""
        return self if self.seen is None else replace(self, updates=self.seen)

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
    the planted truth, for `oracle` alone. losses `(clients, leaves)`: mean training loss under each leaf's model, where
    the clustering needs it.
    """

    clients: Ints
    paths: tuple[Path, ...]
    reward: Doubles
    cluster: Ints
    visits: Ints
    heard: Bools
    group: Ints
    losses: Doubles | None = None


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
class Tuning:
    """How a client makes a model of its own: `steps` of local training, pulled back by `prox` to its cohort's model.

    remembered: it goes on from its own last model whenever it takes part (Ditto); else it starts from its cohort's
    model when it is tested (fine-tuning). lr: 0 is the round's.
    """

    steps: int
    lr: float = 0.0
    prox: float = 0.0
    remembered: bool = False


@dataclass(frozen=True)
class Capacity:
    """What clients' devices can do: ms per sample and local pass of the reference model, and bandwidth in kbit/s,
    both `(clients,)`.
    """

    ms_per_sample: Doubles
    kbps: Doubles
