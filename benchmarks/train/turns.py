"""Turns: in each, every engine does one round, in rotating order, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.train.engines import ENGINES, SGEMM
from benchmarks.train.engines.sgemm import GFLOP
from benchmarks.train.process import EngineFailed, EngineProcess, python_of
from benchmarks.train.task import Task
from benchmarks.train.workloads import Workload

WARM_UP = 2  # rounds of each engine that are dropped
LEAST = 3  # turns that are counted whatever the time


@dataclass
class Record:
    """What an engine did, a number per counted turn; absent: why there is nothing."""

    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    error: float | None = None
    peak_mb: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)
    absent: str = ""


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """The order of a turn: A B C, then B C A, ..."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def ratios(base: Sequence[float], own: Sequence[float]) -> list[float]:
    """How many times faster than the base, turn by turn."""
    return [theirs / mine for theirs, mine in zip(base, own, strict=True)]


class Race:
    """One workload's engines, from their start to their end."""

    def __init__(self, task: Task, names: Sequence[str], folder: Path) -> None:
        self._folder, self._task, self._first = folder, task, np.zeros(0)
        self.records = {name: Record() for name in ("naive-1", *names, "sgemm")}
        self._running: dict[str, EngineProcess] = {}
        self._file = folder / "task.npz"
        task.save(self._file)

    def start(self) -> None:
        """Start whoever is installed."""
        for name in self.records:
            entry = ENGINES.get(name, SGEMM)
            python = python_of(entry.peer)
            if python is None:
                self.records[name].absent = "not installed: make bench-peers"
                continue
            try:
                self._running[name] = EngineProcess(python, entry, self._file, self._folder / f"{name}.log")
                self.records[name].about = self._running[name].about
            except EngineFailed as failure:
                self.records[name].absent = f"did not start: {failure}"

    def turn(self, number: int, done: Callable[[], None]) -> None:
        """Everybody does one round; those of the warm-up are not kept."""
        for name in rotated(list(self.records), number):
            if name in self._running:
                try:
                    self._round(name, number)
                except EngineFailed as failure:
                    self._running.pop(name).stop()
                    self.records[name] = Record(absent=f"failed: {failure}")
            done()

    def stop(self) -> None:
        """End all processes; last, how much memory they had."""
        for name, engine in self._running.items():
            self.records[name].peak_mb = engine.peak_mb()
            engine.stop()

    def _round(self, name: str, number: int) -> None:
        record, engine = self.records[name], self._running[name]
        seconds, cpu_s = engine.round()
        if number >= WARM_UP:
            record.seconds.append(seconds)
            record.cpu_s.append(cpu_s)
        elif number == 0 and name != "sgemm":  # naive is the first of the first turn
            engine.ask("save", path=str(self._folder / "params.npy"))
            update = np.load(self._folder / "params.npy").astype(np.float64) - self._task.params
            self._first = update if name == "naive-1" else self._first
            record.error = float(np.linalg.norm(update - self._first) / np.linalg.norm(self._first))


def play(
    workload: Workload, names: Sequence[str], turns: int, limit_s: float, done: Callable[[], None]
) -> dict[str, Any]:
    """Play a workload; what came of it, ready for JSON. After limit_s there are no more turns than three."""
    started, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        race = Race(workload.task(), [name for name in names if name != "naive-1"], Path(folder))
        try:
            race.start()
            for number in range(turns + WARM_UP):
                if number >= WARM_UP + LEAST and time.monotonic() - started > limit_s:
                    break
                race.turn(number, done)
        finally:
            race.stop()
    records = race.records
    sgemm = records.pop("sgemm")
    return {
        "title": workload.title,
        "parameters": workload.n_params,
        "gflop": workload.flops / 1e9,
        "client_steps": workload.client_steps,
        "turns": len(records["naive-1"].seconds),
        "load": [load, os.getloadavg()[0]],
        "sgemm_s": sgemm.seconds,
        "sgemm_gflop": GFLOP,
        "engines": {name: vars(record) for name, record in records.items()},
    }


def middle(values: Sequence[float]) -> float:
    """The median, NaN of nothing."""
    return median(values) if values else float("nan")
