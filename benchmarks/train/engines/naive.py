"""The frozen loop of naive.py or naive_words.py, or with naive_deep.py's network.

python -m benchmarks.train.engines.naive TASK THREADS
"""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import torch
from torch.utils.data import TensorDataset

from benchmarks.train import naive, naive_words
from benchmarks.train.naive import State
from benchmarks.train.task import Task
from benchmarks.train.wire import Wire


def of(task: Task) -> ModuleType:
    """The file that has the task's network and its round."""
    if not task.is_deep:
        return naive_words if task.of_words else naive
    from benchmarks.train import naive_deep  # horae's networks: other libraries' environments have no horae

    return naive_deep


def state_of(task: Task) -> State:
    """The first model as a state dictionary of numpy arrays."""
    module = of(task).network(task.spec)
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
        one_round = of(self.task).one_round
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
