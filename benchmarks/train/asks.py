"""CPU time of a client's training and of what a round asks of its update; or of other chunks: decision 0010.

`python -m benchmarks.train.asks leaf 5` trains five of the row's clients with one thread, and asks as Auxo does;
`python -m benchmarks.train.asks leaf 10 5 2 10` trains ten in chunks of 5, 2 and 10, in turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

import horae.training.conv
from benchmarks.train.engines.horae import trainer_of
from benchmarks.train.task import Task
from benchmarks.train.workloads import WORKLOADS
from horae.training import Trained, Trainer, Wanted, Work
from horae.training.streamed import Answers
from horae.types import Updates

TURNS = 4


def main() -> None:
    """Print a line for each."""
    row, clients, chunks = sys.argv[1], int(sys.argv[2]), [int(word) for word in sys.argv[3:]]
    task = WORKLOADS[row].task()
    with threadpool_limits(limits=1):
        _chunks(task, clients, chunks) if chunks else _asks(task, clients)


def _asks(task: Task, clients: int) -> None:
    trainer = trainer_of(task)
    way = np.random.default_rng(0).standard_normal((1, trainer.n_params)).astype(np.float32)
    _trained(trainer, task, 1)
    spent = {"train": _cpu_s(lambda: _trained(trainer, task, clients))}
    told, weights = _trained(trainer, task, clients).told, np.full(clients, 1 / clients)
    told.sketch(1024)  # draws its signs
    spent |= {"norms": _cpu_s(told.norms), "sum": _cpu_s(lambda: told.combine(weights))}
    spent |= {"sketch": _cpu_s(lambda: told.sketch(1024)), "a direction": _cpu_s(lambda: told.along(way))}
    if type(told) is Updates:  # as a round that is not held is asked
        rows, answers = told.rows, Answers(Wanted(weights, 1024, way), trainer.n_params)
        spent["all, one after the other"] = _cpu_s(lambda: answers.hear(0, rows))
    print(trainer.path_name, ", ".join(f"{what} {1e3 * s / clients:.1f}" for what, s in spent.items()), "ms a client")


def _chunks(task: Task, clients: int, chunks: list[int]) -> None:
    horae.training.conv.TOGETHER = horae.training.conv.FEWEST = sys.maxsize  # its own rule aside
    made = {}
    for chunk in chunks:
        first = trainer_of(task)
        table = replace(first.training, chunk=chunk)
        made[chunk] = Trainer(first.module, table, task.x, task.y, task.seed)
        _trained(made[chunk], task, clients)
    turns = [{c: _cpu_s(partial(_trained, made[c], task, clients)) for c in chunks} for _ in range(TURNS)]
    for chunk in chunks:
        ratio = np.median([turn[chunks[0]] / turn[chunk] for turn in turns])
        print(f"{made[chunk].path_name} in chunks of {chunk}: x{ratio:.2f} beside {chunks[0]}")


def _trained(trainer: Trainer, task: Task, clients: int) -> Trained:
    start = (trainer.initial_params, trainer.initial_buffers)
    return trainer.train(Work(*start, task.clients[:clients], list(task.rows)[:clients], 0))


def _cpu_s(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


if __name__ == "__main__":
    main()
