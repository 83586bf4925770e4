"""A round in flight: who of the invited will reply in time, when the round ends, and what everybody's part costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from horae.engines.costs import Job, training_flops
from horae.types import Charge, Doubles, Floats, Ints, Round


@dataclass(frozen=True)
class Straggler:
    """A client that is still at work on an earlier round, and may reply late.

    round, row: what it was invited to, and where in `invited` it stands. params, buffers: the model it took. arrives_s,
    duration_s: when it will be done, and how long its work lasts. bill: what it costs once it is done.
    """

    round: Round
    row: int
    params: Floats
    buffers: Floats
    arrives_s: float
    duration_s: float
    bill: Charge

    @property
    def client(self) -> int:
        """Its id."""
        return int(self.round.invited[self.row])


@dataclass(frozen=True)
class Flight:
    """When a round began and ends, which rows of the invited will be kept, and what it costs.

    late: replies to earlier rounds that are kept too. left: rows of the invited that go on beyond the round's end.
    """

    round: Round
    started_s: float
    at_s: float
    kept: Ints
    durations_s: Doubles
    stragglers: int = 0
    dropouts: int = 0
    charges: tuple[Charge, ...] = ()
    late: tuple[Straggler, ...] = ()
    left: tuple[int, ...] = ()


def depart(
    round: Round, opens_s: float, job: Job, durations: Doubles, leaves_s: Doubles, late: Sequence[Straggler] = ()
) -> Flight:
    """Over-commitment and quorum: the first `quorum` to finish are kept, the rest are cut (Auxo 7.1), or go on where
    late replies are used.

    durations, leaves_s `(invited,)`: seconds of work, and seconds until the client goes offline; one that leaves
    before it would finish drops out. Of equally fast clients the lower ids are kept. late: who is at work from earlier
    rounds, none of whom will go offline before.

    Reading: the server notices a client that goes offline, and ends the round when everybody has replied or gone.
    """
    n, gone = round.invited.size, leaves_s < durations
    after_s = np.array([max(0.0, s.arrives_s - opens_s) for s in late])
    arrives = np.concatenate([durations, after_s])
    ids = np.concatenate([round.invited, np.array([s.client for s in late], np.int64)])
    order = np.lexsort((ids, arrives))
    there = np.concatenate([~gone & (durations <= round.deadline_s), after_s <= round.deadline_s])
    replies = order[there[order]][: round.quorum]
    lasts_s = float(arrives[replies].max()) if replies.size else 0.0
    if replies.size < round.quorum:  # wait for the last one that is still at work, or for the deadline
        ends = np.concatenate([np.minimum(durations, leaves_s), after_s])
        lasts_s = min(round.deadline_s, float(ends.max(initial=0.0)))
    kept, welcome = replies[replies < n], [late[i - n] for i in replies[replies >= n].tolist()]
    gone &= leaves_s <= lasts_s if not round.carry else np.ones(n, bool)  # who would have left later was cut before
    over = np.setdiff1d(np.flatnonzero(~gone), kept)
    cut, left = (over[:0], over) if round.carry else (over, over[:0])
    worked_s = np.minimum(np.minimum(durations, leaves_s), lasts_s)
    charges = _bill(job, durations, worked_s, train=kept, straggler=cut, dropout=np.flatnonzero(gone))
    bills = (*charges, *(s.bill for s in welcome))
    ends_s = opens_s + lasts_s
    return Flight(
        round, opens_s, ends_s, np.sort(kept), durations, cut.size, int(gone.sum()), bills, tuple(welcome),
        tuple(left.tolist()),
    )  # fmt: skip


def straying(flight: Flight, job: Job, params: Floats, buffers: Floats) -> list[Straggler]:
    """Those of a round who go on beyond its end."""
    rows, durations = np.array(flight.left, np.int64), flight.durations_s
    return [
        Straggler(
            flight.round, row, params, buffers, float(flight.started_s + durations[row]), float(durations[row]),
            _bill(job, durations, durations, train=rows[i : i + 1])[0],
        )
        for i, row in enumerate(rows.tolist())
    ]  # fmt: skip


def unfinished(flight: Flight, now_s: float) -> tuple[Charge, ...]:
    """What a round had cost that was still in flight when the run ended: downloads, and computing as far as it went."""
    done = (now_s - flight.started_s) / max(flight.at_s - flight.started_s, 1e-12)
    return tuple(_part(c, done) for c in flight.charges) if done > 0 else ()


def abandoned(straggler: Straggler, now_s: float) -> Charge:
    """What a late client had cost whose reply nobody will use."""
    done = 1 - (straggler.arrives_s - now_s) / max(straggler.duration_s, 1e-12)
    return _part(straggler.bill, max(done, 0.0), "straggler")


def _part(c: Charge, done: float, purpose: str = "unfinished") -> Charge:
    part = min(done, 1.0)
    flops, sparse = int(c.flops * part), int(c.sparse_flops * part)
    return Charge(purpose, c.participations, 0, c.nbytes_down, flops, c.client_s * part, sparse)


def _bill(job: Job, durations: Doubles, worked_s: Doubles, **who: Ints) -> tuple[Charge, ...]:
    """By purpose. Stragglers and dropouts download, compute for a while, and send nothing."""
    done = np.minimum(worked_s / np.maximum(durations, 1e-12), 1.0)
    flops, sparse = training_flops(job) * done, training_flops(job, sparse=True) * done
    sent, fetched = (np.broadcast_to(np.asarray(n), durations.shape) for n in (job.nbytes_up, job.nbytes_down))
    bills = []
    for purpose, rows in who.items():
        up = int(sent[rows].sum()) if purpose == "train" else 0
        down, work, spent = int(fetched[rows].sum()), int(flops[rows].sum()), float(worked_s[rows].sum())
        bills.append(Charge(purpose, rows.size, up, down, work, spent, int(sparse[rows].sum())))
    return tuple(bill for bill in bills if bill.participations)
