"""horae's own trainer: `python -m benchmarks.train.engines.horae TASK WORKERS`."""

from __future__ import annotations

import sys

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.train import naive, naive_deep
from benchmarks.train.task import Task
from benchmarks.train.wire import Wire
from horae import __version__
from horae.training import Trainer, Training, Work
from horae.training.models.sparse import SparseLogistic


def trainer_of(task: Task, workers: int = 1) -> Trainer:
    """A trainer that does what the task says, everything else left as it is by default."""
    training = Training(lr=task.lr, steps=task.steps, batch=task.batch)
    if task.of_words:  # the same model as naive_words', in the same order
        module = SparseLogistic(task.spec["features"]).build(task.x.shape[1:], task.spec["classes"])
    else:
        module = (naive_deep if task.is_deep else naive).network(task.spec)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(task.params), module.parameters())
    return Trainer(module, training, task.x, task.y, task.seed, workers)


class Horae:
    """Rounds through the trainer's front door, as the simulation does them."""

    def __init__(self, task: Task, workers: int) -> None:
        self.task, self.trainer = task, trainer_of(task, workers)
        self.model, self.buffers = self.trainer.initial_params, self.trainer.initial_buffers
        self.rows = list(task.rows)
        samples = np.array([len(own) for own in self.rows], np.float64)
        self.weights = samples / samples.sum()

    def round(self) -> None:
        """One round: plan, training, weighted mean, and the step along it."""
        work = Work(self.model, self.buffers, self.task.clients, self.rows, 0)
        trained = self.trainer.train(work)
        self.model = self.model + trained.told.combine(self.weights)

    def params(self) -> np.ndarray:
        """The model as a vector."""
        return self.model


def main() -> None:
    """Answer the harness."""
    wire = Wire()
    with threadpool_limits(limits=1):  # as horae runs
        engine = Horae(Task.load(sys.argv[1]), int(sys.argv[2]))
        wire.ready(horae=__version__, torch=torch.__version__, path=engine.trainer.path_name)
        wire.obey(engine)
        engine.trainer.close()


if __name__ == "__main__":
    main()
