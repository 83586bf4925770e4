"""A round that is out: who has answered, when it is over, and what the loop hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from horae.engines.costs import Job, training_flops
from horae.engines.dispatch import Errand
from horae.engines.learning import Learning
from horae.engines.messages import Answer, ClientFailure, Reply, Said, Task
from horae.engines.remote import Arrival, RemoteUpdates
from horae.engines.views import probed
from horae.engines.world import World
from horae.errors import HoraeError
from horae.pure.packing import unpack
from horae.types import Charge, DataPlane, Floats, Ints, Outcome, Plan, Ref, Round, Updates


@dataclass
class Flight:
    """One round in flight. job, tasks: None and empty where too few were there; then it ends when another round did
    (again), or skip_s is what is waited. models: smaller ones, where clients train some of the weights. replies,
    lasted_s: by row of the invited, in the order in which they came.
    """

    round: Round
    started_s: float
    job: Job | None = None
    extras: Ref | None = None
    models: tuple[Ref, ...] = ()
    tasks: dict[int, Task] = field(default_factory=dict)
    skip_s: float = 0.0
    again: bool = False
    replies: dict[int, Reply] = field(default_factory=dict)
    failures: list[ClientFailure] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    lasted_s: dict[int, float] = field(default_factory=dict)

    def hear(self, row: int, answer: Reply | ClientFailure, lasted_s: float) -> None:
        """Somebody answered."""
        self.lasted_s[row] = lasted_s
        if isinstance(answer, Reply):
            self.replies[row] = answer
        else:
            self.failures.append(answer)
            self.failed.append(row)

    def over(self, now_s: float) -> bool:
        """The quorum is full, everybody has answered, or it is too late."""
        if not self.tasks:
            return self.again
        late = now_s - self.started_s >= self.round.deadline_s
        return len(self.replies) >= self.round.quorum or len(self.lasted_s) == len(self.tasks) or late

    @property
    def waited_for(self) -> set[int]:
        """Clients who have not answered yet."""
        return {task.client for row, task in self.tasks.items() if row not in self.lasted_s}

    @property
    def kept(self) -> Ints:
        """The first to reply, as rows in the order of the invited."""
        return np.sort(np.array(list(self.replies)[: self.round.quorum], np.int64))

    def arrived(self) -> list[tuple[int, Reply]]:
        """All replies, those beyond the quorum too, in the order of the invited."""
        return sorted(self.replies.items())


def landed(plane: DataPlane, task: Task, answer: Said) -> Reply | ClientFailure:
    """The same with an update that came in the message put on the controller's own plane."""
    if isinstance(answer, Answer):
        return ClientFailure(task.client, "no reply", "it answered something else")
    if isinstance(answer, ClientFailure) or not answer.payload:
        return answer
    try:
        return replace(answer, ref=plane.put(unpack(answer.payload), task.path), payload=b"")
    except (HoraeError, ValueError) as error:
        return ClientFailure.of(task.client, error)


def outcome_of(
    flight: Flight, plan: Plan, world: World, learning: Learning, out: list[tuple[Errand, float]], now_s: float
) -> tuple[Outcome, list[Ref]]:
    """What the loop hears, and the names of all updates that came. out: tasks that go on, and for how long they do."""
    round, rows, trainer = flight.round, flight.kept, world.trainer
    replies = [flight.replies[row] for row in rows.tolist()]
    refs = [reply.ref for _, reply in flight.arrived()]
    sizes = np.array([r.samples for r in replies], np.int64)
    samples = learning.views.told(sizes)
    updates, seen = _updates(flight, plan, world.trainer.n_params, rows, replies)
    return Outcome(
        round, flight.started_s, now_s, round.invited[rows], updates,
        _mean_buffers(replies, samples, trainer.initial_buffers), samples, np.array([r.loss for r in replies]),
        np.array([flight.lasted_s[row] for row in rows.tolist()]), round.claims[rows], round.exploring[rows],
        len(flight.tasks) - rows.size - len(flight.failed), len(flight.failed), _bills(flight, rows, out),
        steps=np.array([r.steps for r in replies], np.int64),
        lr=trainer.training.lr_at(round.number) * round.lr_scale, seen=seen, population=world.population.clients,
        held=None if round.held is None else round.held.only(rows), news=tuple(failures_told(round, flight.failures)),
    ), refs  # fmt: skip


def charges_of(flight: Flight, purpose: str, rows: Ints, client_s: float, up: int = 0) -> Charge:
    """What some of the invited have cost: bytes as they lie on the plane, FLOPs as counted, seconds as measured."""
    assert flight.job is not None
    shared = flight.extras.nbytes if flight.extras else 0
    down = sum(flight.tasks[row].model.nbytes + shared for row in rows.tolist())
    flops, sparse = (int(training_flops(flight.job, sparse=s)[rows].sum()) for s in (False, True))
    return Charge(purpose, rows.size, up, down, flops, client_s, sparse)


def unfinished(flight: Flight, out: list[tuple[Errand, float]]) -> tuple[Charge, ...]:
    """What a round in flight has cost when the run ends. out: tasks that are not back, and since when."""
    rows = np.array([*flight.replies, *(e.row for e, _ in out)], np.int64)
    if flight.job is None or not rows.size:
        return ()
    client_s = sum(flight.lasted_s[row] for row in flight.replies) + sum(s for _, s in out)
    return (charges_of(flight, "unfinished", rows, client_s),)


def _bills(flight: Flight, rows: Ints, out: list[tuple[Errand, float]]) -> tuple[Charge, ...]:
    """Who is out when the round ends does all of its work for nothing; who was never sent costs nothing."""
    if flight.job is None:
        return ()
    over = np.setdiff1d(np.array(list(flight.replies), np.int64), rows)
    used, wasted = (sum(flight.replies[i].ref.nbytes for i in some) for some in (rows.tolist(), over.tolist()))
    spent = [sum(flight.lasted_s[i] for i in some) for some in (rows.tolist(), over.tolist(), flight.failed)]
    strays = np.array([*over.tolist(), *(e.row for e, _ in out)], np.int64)
    late_s = spent[1] + sum(s for _, s in out)
    bills = (
        charges_of(flight, "train", rows, spent[0], used),
        charges_of(flight, "straggler", strays, late_s, wasted),
        charges_of(flight, "dropout", np.array(flight.failed, np.int64), spent[2]),
    )
    return tuple(bill for bill in bills if bill.participations)


def _updates(
    flight: Flight, plan: Plan, params: int, rows: Ints, replies: list[Reply]
) -> tuple[Updates, Updates | None]:
    """The updates by name, and those that may be compared: probes, and the weights that everybody has."""
    held = flight.round.held
    if not replies:
        return Updates(np.zeros((0, params), np.float32)), None
    which = None if held is None else held.only(rows).of(rows.size)
    said, beside, probes = [], [], probed(plan, flight.round.target)
    for i, reply in enumerate(replies):
        submodel = None if held is None or which is None else held.submodels[which[i]]
        sketch = np.frombuffer(reply.sketch, np.float32) if reply.sketch else None
        said.append(Arrival(reply.client, reply.ref, reply.norm, None if probes else sketch, submodel))
        beside.append(Arrival(reply.client, reply.ref, None, sketch, submodel))
    updates = RemoteUpdates(tuple(said), plan.data_plane, params, plan.channels)
    read = RemoteUpdates(tuple(beside), plan.data_plane, params, probes=True) if probes else updates
    if held is not None and len(held.submodels) > 1:
        return updates, read.masked(held.everybody())
    return updates, read if probes else None


def _mean_buffers(replies: list[Reply], samples: Ints, first: Floats) -> Floats:
    if not replies:
        return first
    shares = (samples / max(samples.sum(), 1)).astype(np.float32)
    mean: Floats = shares @ np.stack([np.frombuffer(reply.buffers, np.float32) for reply in replies])
    return mean


def failures_told(round: Round, failures: Sequence[ClientFailure]) -> list[dict[str, object]]:
    """What the log is told of each client that failed."""
    return [
        {"event": "failure", "cohort": round.path, "number": round.number, "client": int(f.client), "aggregator": "",
         "kind": f.kind, "why": f.why}
        for f in sorted(failures, key=lambda f: f.client)
    ]  # fmt: skip
