"""Aggregators between the clients and the leader: each adds up its workers' updates, the leader adds up their sums.

An aggregator is a task for the same executor. What it fails to add up, the leader adds up itself.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import BrokenExecutor, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from horae.engines.backends import Backend
from horae.engines.dispatch import GONE, LATE
from horae.engines.errands import address_of
from horae.engines.outcomes import Flight
from horae.engines.parcels import opened
from horae.engines.remote import RemoteUpdates, accumulate
from horae.engines.site import Site
from horae.engines.topology import read_topology
from horae.engines.worker import INLINE, attached
from horae.errors import HoraeError, PlaneError, one_line, require
from horae.types import Channel, Charge, Doubles, Floats, News, Outcome, Plan, Ref, Round, Submodel

SUM = "sum"


@dataclass(frozen=True)
class Term:
    """An update, its weight, and which mask it was trained under; -1 for the whole model."""

    ref: Ref
    weight: float
    which: int = -1


@dataclass(frozen=True)
class Addition:
    """An aggregator's task: terms in the order of the clients, then other aggregators' sums. out: the sum's key.

    masks: where the masks lie, or None.
    """

    aggregator: str
    plane: str
    out: str
    terms: tuple[Term, ...]
    sums: tuple[Ref, ...]
    params: int
    channels: tuple[Channel, ...] = ()
    masks: Ref | None = None
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Partial:
    """What an aggregator answers: where its sum lies; or None, and why."""

    aggregator: str
    ref: Ref | None = None
    kind: str = ""
    why: str = ""


def run_addition(task: Any) -> Any:
    """What is sent to workers; it finds everything by importing, as `run_task`."""
    from horae.engines.aggregating import partial_sum

    return partial_sum(task)


def partial_sum(task: Addition) -> Partial:
    """Σ_i weights_i update_i over an aggregator's clients, in float32: one update in memory at a time."""
    try:
        plane, patience, total = attached(task.plane), min(60.0, task.timeout_s), np.zeros(task.params, np.float32)
        masks = {} if task.masks is None else plane.get(task.masks, timeout_s=patience)
        for term in task.terms:
            packed = masks.get(f"mask/{term.which}")
            submodel = None if packed is None else Submodel(np.unpackbits(packed, count=task.params).astype(bool))
            accumulate(total, term.weight, opened(task.channels, plane.get(term.ref, timeout_s=patience), submodel))
        for ref in task.sums:
            accumulate(total, 1.0, plane.get(ref, timeout_s=patience)[SUM])
        return Partial(task.aggregator, plane.put_as(task.out, {SUM: total}))
    except Exception as error:  # a value, as a client's failure is
        kind = str(getattr(error, "kind", "") or type(error).__name__)
        return Partial(task.aggregator, None, one_line(kind, 40), one_line(error or kind, 160))


@dataclass
class Aggregators:
    """The controller's side. What sums have cost, and which failed, is told with the next outcome: they are asked for
    when the loop already has this one.
    """

    site: Site
    plan: Plan
    backend: Backend
    charges: list[Charge] = field(default_factory=list, init=False)
    news: list[News] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._tree = read_topology(Path(self.site.topology).expanduser()) if self.site.topology else None
        reached = self._tree is None or self.backend.near or not address_of(self.plan).startswith(INLINE)
        should, remedy = "be one that workers reach, with site.topology", 'take data_plane.name = "shm"'
        require(reached, "data_plane", should, "inline", remedy)

    def over(self, outcome: Outcome, flight: Flight) -> Outcome:
        """The outcome with updates that are added up through the tree, and what there is to tell."""
        updates, news, self.news = outcome.updates, self.news, []
        if self._tree is not None and isinstance(updates, RemoteUpdates):
            updates = updates.through(partial(self._combined, flight))
        return replace(
            outcome, updates=updates, charges=(*outcome.charges, *self.billed()), news=(*outcome.news, *news)
        )

    def billed(self) -> list[Charge]:
        """What no outcome has charged yet."""
        bills, self.charges = self.charges, []
        return bills

    def _combined(self, flight: Flight, updates: RemoteUpdates, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i through the tree."""
        masks, outs = self._masks(flight), list[str]()
        try:
            return self._added(flight.round, updates, weights, masks, outs)
        except PlaneError as error:  # a sum is gone: the updates are still there
            self._tell(flight.round, updates, "the leader", Partial("", None, error.kind, str(error)))
            return updates.flat(weights)
        finally:
            for key in outs:
                self._forget(key)
            if masks is not None and masks is not flight.extras:
                self._forget(masks)

    def _added(
        self, round: Round, updates: RemoteUpdates, weights: Doubles, masks: Ref | None, outs: list[str]
    ) -> Floats:
        """Level by level up to the leader. outs: takes the keys of all sums."""
        tree, plane = self._tree, self.plan.data_plane
        assert tree is not None
        rows, sums = defaultdict[str, list[int]](list), defaultdict[str, list[Ref]](list)
        for row, arrival in enumerate(updates.arrivals):
            rows[tree.reports_to(arrival.client)].append(row)
        for level in tree.levels:
            names = [name for name in level if rows[name] or sums[name]]
            tasks = [self._task(round, n, updates, weights, rows[n], tuple(sums[n]), masks) for n in names]
            outs += [task.out for task in tasks]
            for answer in self._answers(tasks):
                name = answer.aggregator
                if answer.ref is not None:
                    self.charges.append(Charge("aggregation", nbytes_up=answer.ref.nbytes))
                    sums[tree.parent[name]].append(answer.ref)
                    for ref in sums[name]:
                        plane.evict(ref)
                    continue
                rows[tree.leader] += rows[name]
                sums[tree.leader] += sums[name]
                self._tell(round, updates.only(_picked(updates, rows[name])), f"aggregator {name}", answer)
        mine = _picked(updates, rows[tree.leader])
        total = updates.only(mine).flat(weights[mine])
        for ref in sums[tree.leader]:
            accumulate(total, 1.0, plane.get(ref)[SUM])
            plane.evict(ref)
        return total

    def _task(
        self, round: Round, name: str, updates: RemoteUpdates, weights: Doubles, rows: list[int],
        sums: tuple[Ref, ...], masks: Ref | None,
    ) -> Addition:  # fmt: skip
        trained = () if round.held is None else round.held.submodels
        terms = []
        for row in rows:
            arrival = updates.arrivals[row]
            which = next((i for i, submodel in enumerate(trained) if submodel is arrival.submodel), -1)
            terms.append(Term(arrival.ref, float(np.float32(weights[row])), which))
        key = str(self.plan.data_plane.reserve(round.path, f"{round.number}-sum"))
        return Addition(
            name, address_of(self.plan), key, tuple(terms), sums, updates.params, self.plan.channels, masks,
            self.site.timeout_s,
        )  # fmt: skip

    def _masks(self, flight: Flight) -> Ref | None:
        """Where the round's masks lie: with what its tasks read, or, inline, put for this sum."""
        held = flight.round.held
        if held is None:
            return None
        if flight.extras is not None:
            return flight.extras
        packed = {f"mask/{i}": np.packbits(submodel.keep) for i, submodel in enumerate(held.submodels)}
        return self.plan.data_plane.put(packed, flight.round.path)

    def _answers(self, tasks: list[Addition]) -> list[Partial]:
        """One answer per task, in their order; each has the time of one client's task."""
        futures = [self._submitted(task) for task in tasks]
        turns = -(-len(tasks) // self.backend.workers)
        wait(futures, self.site.timeout_s * turns)
        found = [self._answer(task, future) for task, future in zip(tasks, futures, strict=True)]
        if any(answer.kind in (GONE, LATE) for answer in found):
            self.backend.renew()
        return found

    def _submitted(self, task: Addition) -> Future[Any]:
        try:
            return self.backend.submit(task, run_addition)
        except Exception as error:
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

    def _answer(self, task: Addition, future: Future[Any]) -> Partial:
        if not future.done():
            with suppress(NotImplementedError):
                future.cancel()
            future.add_done_callback(lambda _: self._forget(task.out))
            why = f"no answer within site.timeout_s = {self.site.timeout_s:g} s"
            return Partial(task.aggregator, None, LATE, why)
        error = CancelledError() if future.cancelled() else future.exception()
        if error is not None:
            lost = isinstance(error, BrokenExecutor | CancelledError)
            kind = GONE if lost else one_line(type(error).__name__, 40)
            return Partial(task.aggregator, None, kind, one_line(error or kind, 160))
        answer = future.result()
        if isinstance(answer, Partial):
            return answer
        return Partial(task.aggregator, None, "no reply", f"the executor returned {type(answer).__name__}")

    def _forget(self, key: Ref | str) -> None:
        with suppress(HoraeError, KeyError):
            self.plan.data_plane.evict(key)

    def _tell(self, round: Round, updates: RemoteUpdates, who: str, answer: Partial) -> None:
        """A failure for the log, under the first of the clients whose updates are concerned."""
        first = min((arrival.client for arrival in updates.arrivals), default=0)
        why = one_line(f"{who}: {answer.why}; the leader adds up {len(updates)} updates itself", 200)
        self.news.append(
            {"event": "failure", "cohort": round.path, "number": round.number, "client": int(first),
             "kind": answer.kind, "why": why}
        )  # fmt: skip


def _picked(updates: RemoteUpdates, rows: list[int]) -> Any:
    """Rows as a mask over the updates."""
    return np.isin(np.arange(len(updates)), rows)
