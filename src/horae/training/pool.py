"""Several processes that train the clients of a round side by side, to the same bits as one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import pairwise
from multiprocessing import parent_process
from typing import Protocol

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import multiprocessing

from horae.errors import HoraeError, RunError, one_line
from horae.training.arena import Arena, opened
from horae.training.plan import Batches
from horae.training.shared_plan import SharedPlan, shared_plan
from horae.training.work import Work
from horae.types import Doubles, Floats

PATIENCE = 3  # times in a row that workers may die before any has finished a part

Name = tuple[str, int] | None


class Path(Protocol):
    """A way of training: see `dense`, `native`, `span`, `sparse`, `conv` and `lean`."""

    @property
    def name(self) -> str:
        """What checkpoints and the log call it: another name, other bits."""

    def grain(self, clients: int) -> int:
        """Clients of a round of so many that are trained together, since bits depend on who is: the first so many, the
        next so many.
        """

    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`, or `(q, columns)` where the path packs them; returns buffers `(q, B)` and each step's
        summed losses `(q, steps)`.
        """


@dataclass(frozen=True)
class Part:
    """What a worker is sent: the model lies in shared memory, and the updates are put there.

    shape: of all updates, as the path fills them; n_params: of the model.
    """

    work: Work
    plan: Batches | SharedPlan
    clients: slice
    shape: tuple[int, int]
    n_params: int
    params: Name
    updates: Name


@dataclass(frozen=True)
class Answer:
    """What it sends back; updates where they could not be shared."""

    buffers: Floats
    sums: Doubles
    updates: Floats | None


class Hands(Protocol):
    """Whoever trains parts: processes on this machine (`Near`), or an executor's workers anywhere (`far.Far`).

    lost: what waiting raises when a worker was lost and its part must be done again.
    """

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """See above."""

    def submit(self, part: Part) -> Callable[[], Answer]:
        """Have a part trained; what comes back waits for the answer."""

    def renew(self) -> None:
        """A worker was lost: make sure that there are enough again."""

    def close(self) -> None:
        """End the workers."""


@dataclass
class Near:
    """Processes of this machine, which share its memory. They start with the first part."""

    path: Path
    workers: int
    threads: int
    _executor: ProcessPoolExecutor | None = field(default=None, init=False, repr=False)

    lost = (BrokenProcessPool,)

    def submit(self, part: Part) -> Callable[[], Answer]:
        """Have a part trained."""
        if self._executor is None:
            spawn = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.workers, spawn, _begin, (self.path, self.threads))
        return self._executor.submit(_train_near, part).result

    def renew(self) -> None:
        """End the rest of them; the next part starts others."""
        self.close()

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


@dataclass
class Pool:
    """A trainer's path, spread over `workers`.

    A round is cut where the path's own sums are cut, and put together in the order of the clients: nothing depends on
    who trains what. Where a worker is lost its clients are done again. On one machine the samples, the model and the
    updates lie in memory that all share.
    """

    path: Path
    workers: int
    arena: Arena
    hands: Hands

    @property
    def name(self) -> str:
        """The path's name."""
        return self.path.name

    def train(self, work: Work, plan: Batches, updates: Floats, name: Name = None) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`, which others find under `name`. Returns buffers and each step's summed losses."""
        cuts = list(_cuts(len(work.clients), work.together, self.workers))
        if not cuts or (len(cuts) == 1 and isinstance(self.hands, Near)):
            return self.path.train(work, plan, updates)
        params, place = self.arena.take(1, len(work.params))
        params[0] = work.params
        bare = work.bare(shared=place is not None)
        there = shared_plan(plan, self.arena)
        parts = [
            Part(bare.part(cut), there.part(cut), cut, updates.shape, len(work.params), place, name) for cut in cuts
        ]
        answers = self._all(parts)
        for part, answer in zip(parts, answers, strict=True):
            if answer.updates is not None:
                updates[part.clients] = answer.updates
        return np.concatenate([a.buffers for a in answers]), np.concatenate([a.sums for a in answers])

    def close(self) -> None:
        """End the workers."""
        self.hands.close()

    def _all(self, parts: list[Part]) -> list[Answer]:
        """An answer for every part, however often workers die."""
        done: dict[int, Answer] = {}
        failures = 0
        while len(done) < len(parts):
            found, why = self._attempt({i: part for i, part in enumerate(parts) if i not in done})
            failures = 0 if found else failures + 1
            done |= found
            if failures >= PATIENCE:
                raise RunError(dying(self.workers, why))
        return [done[i] for i in range(len(parts))]

    def _attempt(self, parts: dict[int, Part]) -> tuple[dict[int, Answer], Exception | None]:
        """The parts that were finished, and why others were not."""
        waits: dict[int, Callable[[], Answer]] = {}
        found: dict[int, Answer] = {}
        why: Exception | None = None
        try:
            for i, part in parts.items():
                waits[i] = self.hands.submit(part)
        except HoraeError:
            raise
        except self.hands.lost as error:
            why = error
        for i, wait in waits.items():
            try:
                found[i] = wait()
            except HoraeError:
                raise
            except self.hands.lost as error:
                why = error
        if why is not None:
            self.hands.renew()
        return found, why


def dying(workers: int, why: Exception | None) -> str:
    """What is said when they are given up."""
    words = f" ({one_line(why, 160)})" if str(why) else ""
    return f"{workers} workers keep dying{words}; is memory short? Lower --workers"


def _cuts(clients: int, grain: int, workers: int) -> Iterator[slice]:
    """At most one stretch of clients per worker, cut at multiples of `grain`, as even as that allows."""
    grains = -(-clients // grain)
    edges = [grain * int(edge) for edge in np.linspace(0, grains, min(workers, grains) + 1)]
    return (slice(first, min(end, clients)) for first, end in pairwise(edges))


_path: Path | None = None  # a worker's own


def _begin(path: Path, threads: int) -> None:
    """A worker's first act. Ctrl-C is the parent's to answer, and a worker whose parent is gone ends."""
    global _path
    _path = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    threadpool_limits(limits=1)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train_near(part: Part) -> Answer:
    assert _path is not None  # _begin ran first
    return train_part(_path, part)


def train_part(path: Path, part: Part) -> Answer:
    """In a worker: one part's clients."""
    work, plan, (_, columns) = part.work, part.plan, part.shape
    plan = plan.opened() if isinstance(plan, SharedPlan) else plan
    if part.params is not None:
        work = replace(work, params=opened(part.params, 1, part.n_params)[0])
    if part.updates is not None:
        whole = opened(part.updates, *part.shape)
        return Answer(*path.train(work, plan, whole[part.clients]), None)
    updates = np.empty((len(work.clients), columns), np.float32)
    return Answer(*path.train(work, plan, updates), updates)
