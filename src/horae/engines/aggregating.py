"""Aggregators between the clients and the leader: each adds up its workers' updates, the leader adds up their sums.

An aggregator is a task for the same executor, begun `site.attempts` times at most. What it fails to add up, the leader
adds up itself.
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

from horae.engines.adding import SUM, Addition, Partial, Term, run_addition
from horae.engines.backends import Backend
from horae.engines.dispatch import GONE, LATE
from horae.engines.errands import address_of
from horae.engines.outcomes import Flight
from horae.engines.remote import RemoteUpdates, accumulate
from horae.engines.site import Site
from horae.engines.topology import read_topology
from horae.engines.worker import INLINE
from horae.errors import HoraeError, PlaneError, one_line, require
from horae.types import Charge, Doubles, Floats, News, Outcome, Plan, Ref, Round


@dataclass
class Aggregators:
    """The controller's side. Sums are asked for when the loop already has the outcome: what they have cost is told with
    the next one, and which failed by adding to this one's news, which are written down after that.
    """

    site: Site
    plan: Plan
    backend: Backend
    charges: list[Charge] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._tree = read_topology(Path(self.site.topology).expanduser()) if self.site.topology else None
        reached = self._tree is None or self.backend.near or not address_of(self.plan).startswith(INLINE)
        should, remedy = "be one that workers reach, with site.topology", 'take data_plane.name = "shm"'
        require(reached, "data_plane", should, "inline", remedy)

    def over(self, outcome: Outcome, flight: Flight) -> Outcome:
        """The outcome with updates that are added up through the tree; its news grow when one of the sums fails."""
        updates, news = outcome.updates, [*outcome.news]
        if self._tree is not None and isinstance(updates, RemoteUpdates):
            updates = updates.through(partial(self._combined, flight, news))
        told: Any = news
        return replace(outcome, updates=updates, charges=(*outcome.charges, *self.billed()), news=told)

    def billed(self) -> list[Charge]:
        """What no outcome has charged yet."""
        bills, self.charges = self.charges, []
        return bills

    def _combined(self, flight: Flight, news: list[News], updates: RemoteUpdates, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i through the tree."""
        masks, outs = self._masks(flight), list[str]()
        try:
            return self._added(flight.round, news, updates, weights, masks, outs)
        except PlaneError as error:  # a sum is gone: the updates are still there
            answer = Partial(self._tree.leader if self._tree else "", None, error.kind, str(error))
            news.append(_told(flight.round, updates, "the leader", answer, (len(updates), 0)))
            return updates.flat(weights)
        finally:
            for key in outs:
                self._forget(key)
            if masks is not None:
                self._forget(masks)

    def _added(
        self, round: Round, news: list[News], updates: RemoteUpdates, weights: Doubles, masks: Ref | None,
        outs: list[str],
    ) -> Floats:  # fmt: skip
        """Level by level up to the leader. outs: takes the keys of all sums."""
        tree, plane = self._tree, self.plan.data_plane
        assert tree is not None
        rows, sums = defaultdict[str, list[int]](list), defaultdict[str, list[Ref]](list)
        under = defaultdict[str, list[int]](list)  # rows below each, whoever added them up
        for row, arrival in enumerate(updates.arrivals):
            rows[tree.reports_to(arrival.client)].append(row)
            under[tree.reports_to(arrival.client)].append(row)
        for level in tree.levels:
            names = [name for name in level if rows[name] or sums[name]]
            tasks = [self._task(round, n, updates, weights, rows[n], tuple(sums[n]), masks) for n in names]
            outs += [task.out for task in tasks]
            for answer in self._answers(tasks):
                name = answer.aggregator
                under[tree.parent[name]] += under[name]
                if answer.ref is not None:
                    self.charges.append(Charge("aggregation", nbytes_up=answer.ref.nbytes))
                    sums[tree.parent[name]].append(answer.ref)
                    for ref in sums[name]:
                        plane.evict(ref)
                    continue
                rows[tree.leader] += rows[name]
                sums[tree.leader] += sums[name]
                mine = (len(rows[name]), len(sums[name]))
                news.append(
                    _told(round, updates.only(_picked(updates, under[name])), f"aggregator {name}", answer, mine)
                )
        own = _picked(updates, rows[tree.leader])
        total = updates.only(own).flat(weights[own])
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
        """Where the round's masks lie, put for this sum."""
        held = flight.round.held
        if held is None:
            return None
        packed = {f"mask/{i}": np.packbits(submodel.keep) for i, submodel in enumerate(held.submodels)}
        return self.plan.data_plane.put(packed, flight.round.path)

    def _answers(self, tasks: list[Addition]) -> list[Partial]:
        """One answer per task, in their order. What failed is begun again: after a worker was lost one by one, so that
        the task that kills is alone. What is too late is not, for its time is spent.
        """
        found = self._tried(tasks)
        for _ in range(1, self.site.attempts):
            failed = [i for i, answer in enumerate(found) if answer.ref is None and answer.kind != LATE]
            lost = any(found[i].kind == GONE for i in failed)
            for some in [[i] for i in failed] if lost else [failed]:
                for i, answer in zip(some, self._tried([tasks[i] for i in some]), strict=True):
                    found[i] = answer
        return found

    def _tried(self, tasks: list[Addition]) -> list[Partial]:
        """One attempt at each; each has the time of one client's task."""
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


def _told(round: Round, updates: RemoteUpdates, who: str, answer: Partial, left: tuple[int, int]) -> News:
    """A failure for the log, under the first of the clients below. left: updates and sums for the leader to add up."""
    first = min((arrival.client for arrival in updates.arrivals), default=0)
    what = " and ".join(f"{n} {name}{'s' * (n > 1)}" for n, name in zip(left, ("update", "sum"), strict=True) if n)
    return {
        "event": "failure", "cohort": round.path, "number": round.number, "client": int(first),
        "aggregator": answer.aggregator, "kind": answer.kind,
        "why": one_line(f"{who}: {answer.why}; the leader adds up {what} itself", 200),
    }  # fmt: skip


def _picked(updates: RemoteUpdates, rows: list[int]) -> Any:
    """Rows as a mask over the updates."""
    return np.isin(np.arange(len(updates)), rows)
