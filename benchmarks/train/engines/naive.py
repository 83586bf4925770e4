"""The frozen loop of naive.py: `python -m benchmarks.train.engines.naive TASK THREADS`."""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch.utils.data import TensorDataset

from benchmarks.train.naive import State, network, one_round
from benchmarks.train.task import Task
from benchmarks.train.wire import Wire


def state_of(task: Task) -> State:
    """The first model as a state dictionary of numpy arrays."""
    module = network(task.spec)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(task.params), module.parameters())
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


class Naive:
    """Rounds of the frozen loop."""

    def __init__(self, task: Task) -> None:
        self.task, self.state = task, state_of(task)
        self.data = TensorDataset(torch.from_numpy(task.x), torch.from_numpy(task.y))
        self.rows, self.batches = task.rows.tolist(), task.index.tolist()

    def round(self) -> None:
        """One round."""
        self.state = one_round(self.task.spec, self.state, self.data, self.rows, self.batches, self.task.lr)

    def params(self) -> np.ndarray:
        """The model as a vector."""
        return np.concatenate([array.reshape(-1) for array in self.state.values()])


def main() -> None:
    """Answer the harness."""
    wire = Wire()
    torch.set_num_threads(int(sys.argv[2]))
    engine = Naive(Task.load(sys.argv[1]))
    wire.ready(torch=torch.__version__)
    wire.obey(engine)


if __name__ == "__main__":
    main()
