"""Several processes that train the clients of a round side by side, to the same bits as one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import pairwise
from multiprocessing import parent_process
from typing import Protocol

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import multiprocessing

from horae.errors import RunError
from horae.training.arena import Arena, opened
from horae.training.plan import Batches
from horae.training.work import Work
from horae.types import Doubles, Floats

PATIENCE = 3  # times in a row that workers may die before any has finished a part

Name = tuple[str, int] | None


class Path(Protocol):
    """A way of training: see `dense`, `native`, `span` and `lean`."""

    name: str

    @property
    def grain(self) -> int:
        """Clients that must be trained together for the same bits."""

    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`; returns buffers `(q, B)` and summed losses `(q,)`."""


@dataclass(frozen=True)
class Part:
    """What a worker is sent: the model lies in shared memory, and the updates are put there."""

    work: Work
    plan: Batches
    clients: slice
    shape: tuple[int, int]
    params: Name
    updates: Name


@dataclass(frozen=True)
class Answer:
    """What it sends back; updates where they could not be shared."""

    buffers: Floats
    sums: Doubles
    updates: Floats | None


@dataclass
class Pool:
    """A trainer's path, spread over `workers` processes of `threads` threads each.

    A round is cut where the path's own sums are cut, and put together in the order of the clients: nothing depends on
    who trains what. Processes start with the first round; one that dies is replaced, and its clients are done again.
    The samples, the model and the updates lie in memory that all share.
    """

    path: Path
    workers: int
    threads: int
    arena: Arena
    _executor: ProcessPoolExecutor | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The path's name."""
        return self.path.name

    @property
    def grain(self) -> int:
        """The path's."""
        return self.path.grain

    def train(self, work: Work, plan: Batches, updates: Floats, name: Name = None) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`, which other processes find under `name`. Returns buffers and summed losses."""
        cuts = list(_cuts(len(work.clients), self.path.grain, self.workers))
        if len(cuts) < 2:
            return self.path.train(work, plan, updates)
        params, place = self.arena.take(1, len(work.params))
        params[0] = work.params
        bare = replace(work, rows=[], params=work.params if place is None else work.params[:0])
        parts = [Part(bare.part(cut), plan.part(cut), cut, updates.shape, place, name) for cut in cuts]
        answers = self._all(parts)
        for part, answer in zip(parts, answers, strict=True):
            if answer.updates is not None:
                updates[part.clients] = answer.updates
        return np.concatenate([a.buffers for a in answers]), np.concatenate([a.sums for a in answers])

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _all(self, parts: list[Part]) -> list[Answer]:
        """An answer for every part, however often workers die."""
        done: dict[int, Answer] = {}
        failures = 0
        while len(done) < len(parts):
            found = self._attempt({i: part for i, part in enumerate(parts) if i not in done})
            failures = 0 if found else failures + 1
            done |= found
            if failures >= PATIENCE:
                raise RunError(f"{self.workers} workers keep dying; is memory short? Lower --workers")
        return [done[i] for i in range(len(parts))]

    def _attempt(self, parts: dict[int, Part]) -> dict[int, Answer]:
        """The parts that were finished before a worker died, if one did."""
        futures: dict[int, Future[Answer]] = {}
        found: dict[int, Answer] = {}
        broken = False
        try:
            for i, part in parts.items():
                futures[i] = self._started().submit(_train, part)
        except BrokenProcessPool:
            broken = True
        for i, future in futures.items():
            try:
                found[i] = future.result()
            except BrokenProcessPool:
                broken = True
        if broken:
            self.close()
        return found

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), _begin, (self.path, self.threads)
            )
        return self._executor


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


def _train(part: Part) -> Answer:
    assert _path is not None  # _begin ran first
    work, (_, columns) = part.work, part.shape
    if part.params is not None:
        work = replace(work, params=opened(part.params, 1, columns)[0])
    if part.updates is not None:
        whole = opened(part.updates, *part.shape)
        return Answer(*_path.train(work, part.plan, whole[part.clients]), None)
    updates = np.empty((len(work.clients), columns), np.float32)
    return Answer(*_path.train(work, part.plan, updates), updates)
