"""How far from float64 a client's update is, torch's float32 beside ours: `python -m benchmarks.train.exact resnet`.

Relative L2, of one client's round from the workload's first model.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from benchmarks.train import naive, naive_deep
from benchmarks.train.engines.horae import Horae
from benchmarks.train.task import Task
from benchmarks.train.workloads import WORKLOADS


def by_torch(task: Task, kind: torch.dtype) -> Any:
    """The first client's update, `(P,)` in float64, by a plain loop in numbers of this kind."""
    network = (naive_deep if task.is_deep else naive).network(task.spec).to(kind)
    vector_to_parameters(torch.tensor(task.params, dtype=kind), network.parameters())
    descent = torch.optim.SGD(network.parameters(), lr=task.lr)
    for step in range(task.steps):
        picked = task.rows[0][task.index[0, step]]
        x, y = torch.from_numpy(task.x[picked]).to(kind), torch.from_numpy(task.y[picked])
        descent.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        descent.step()
    return parameters_to_vector(network.parameters()).detach().double().numpy() - task.params


def main() -> None:
    """One line."""
    workload = replace(WORKLOADS[sys.argv[1]], clients=1)
    with threadpool_limits(limits=1):
        task = workload.task()
        engine = Horae(task, 1)
        engine.round()
        exact, ours = by_torch(task, torch.float64), engine.model.astype(np.float64) - task.params
        size = np.linalg.norm(exact)
        near, far = np.linalg.norm(ours - exact) / size, np.linalg.norm(by_torch(task, torch.float32) - exact) / size
    print(f"{workload.title}: from float64 torch's float32 {far:.1e}, horae's ({engine.trainer.path_name}) {near:.1e}")


if __name__ == "__main__":
    main()
