"""A round in flight: who of the invited will reply in time, when the round ends, and what everybody's part costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.engines.costs import Job, training_flops
from horae.types import Charge, Doubles, Ints, Round


@dataclass(frozen=True)
class Flight:
    """When a round began and ends, which rows of the invited will be kept, and what it costs."""

    round: Round
    started_s: float
    at_s: float
    kept: Ints
    durations_s: Doubles
    stragglers: int = 0
    dropouts: int = 0
    charges: tuple[Charge, ...] = ()


def depart(round: Round, opens_s: float, job: Job, durations: Doubles, leaves_s: Doubles) -> Flight:
    """Over-commitment and quorum: the first `quorum` to finish are kept, the rest are cut (Auxo 7.1).

    durations, leaves_s `(invited,)`: seconds of work, and seconds until the client goes offline; one that leaves
    before it would finish drops out. Of equally fast clients the lower ids are kept.

    Reading: the server notices a client that goes offline, and ends the round when everybody has replied or gone.
    """
    gone = leaves_s < durations
    order = np.lexsort((round.invited, durations))
    replies = order[~gone[order] & (durations[order] <= round.deadline_s)]
    kept = replies[: round.quorum]
    lasts_s = float(durations[kept].max()) if kept.size else 0.0
    if kept.size < round.quorum:  # wait for the last one that is still at work, or for the deadline
        lasts_s = min(round.deadline_s, float(np.minimum(durations, leaves_s).max()))
    gone &= leaves_s <= lasts_s  # who would have left later was cut before
    cut = np.setdiff1d(np.flatnonzero(~gone), kept)
    worked_s = np.minimum(np.minimum(durations, leaves_s), lasts_s)
    charges = _bill(job, durations, worked_s, train=kept, straggler=cut, dropout=np.flatnonzero(gone))
    ends_s = opens_s + lasts_s
    return Flight(round, opens_s, ends_s, np.sort(kept), durations, cut.size, int(gone.sum()), charges)


def unfinished(flight: Flight, now_s: float) -> tuple[Charge, ...]:
    """What a round had cost that was still in flight when the run ended: downloads, and computing as far as it went."""
    done = (now_s - flight.started_s) / max(flight.at_s - flight.started_s, 1e-12)
    if done <= 0:
        return ()
    part = min(done, 1.0)
    return tuple(
        Charge("unfinished", c.participations, 0, c.nbytes_down, int(c.flops * part), c.client_s * part)
        for c in flight.charges
    )


def _bill(job: Job, durations: Doubles, worked_s: Doubles, **who: Ints) -> tuple[Charge, ...]:
    """By purpose. Stragglers and dropouts download, compute for a while, and send nothing."""
    flops = training_flops(job) * np.minimum(worked_s / np.maximum(durations, 1e-12), 1.0)
    bills = []
    for purpose, rows in who.items():
        up = job.nbytes_up * rows.size if purpose == "train" else 0
        down, work, spent = job.nbytes_down * rows.size, int(flops[rows].sum()), float(worked_s[rows].sum())
        bills.append(Charge(purpose, rows.size, up, down, work, spent))
    return tuple(bill for bill in bills if bill.participations)
