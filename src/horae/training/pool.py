"""Several processes that train the clients of a round side by side, to the same bits as one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import parent_process

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import multiprocessing

from horae.errors import RunError
from horae.training.dense import Dense
from horae.training.lean import Lean
from horae.training.plan import Batches
from horae.training.work import Trained, Work

PATIENCE = 3  # times in a row that workers may die before any has finished a part


@dataclass
class Pool:
    """A trainer's path, spread over `workers` processes of `threads` threads each.

    A round is cut where the path's own sums are cut, and put together in the order of the clients: nothing depends on
    who trains what. Processes start with the first round; one that dies is replaced, and its clients are done again.
    """

    path: Dense | Lean
    workers: int
    threads: int
    _executor: ProcessPoolExecutor | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The path's name."""
        return self.path.name

    def train(self, work: Work, plan: Batches) -> Trained:
        """Train everybody; plan: with rows of the dataset."""
        cuts = list(_cuts(len(work.clients), self.path.grain, self.workers))
        if len(cuts) < 2:
            return self.path.train(work, plan)
        done: dict[int, Trained] = {}
        failures = 0
        while len(done) < len(cuts):
            before = len(done)
            todo = {i: cut for i, cut in enumerate(cuts) if i not in done}
            done |= self._attempt({i: (work.part(cut), plan.part(cut)) for i, cut in todo.items()})
            failures = failures + 1 if len(done) == before else 0
            if failures >= PATIENCE:
                raise RunError(f"{self.workers} workers keep dying; is memory short? Lower --workers")
        return Trained.joined([done[i] for i in range(len(cuts))])

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _attempt(self, parts: dict[int, tuple[Work, Batches]]) -> dict[int, Trained]:
        """The parts that were finished before a worker died, if one did."""
        futures: dict[int, Future[Trained]] = {}
        found: dict[int, Trained] = {}
        broken = False
        try:
            futures = {i: self._started().submit(_train, *part) for i, part in parts.items()}
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


_path: Dense | Lean | None = None  # a worker's own


def _begin(path: Dense | Lean, threads: int) -> None:
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


def _train(work: Work, plan: Batches) -> Trained:
    assert _path is not None  # _begin ran first
    return _path.train(work, plan)
