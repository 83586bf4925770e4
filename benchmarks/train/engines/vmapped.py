"""horae's path for a GPU, on whatever there is: `python -m benchmarks.train.engines.vmapped TASK WORKERS`."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from threadpoolctl import threadpool_limits

from benchmarks.train.engines.horae import Horae
from benchmarks.train.task import Task
from benchmarks.train.wire import Wire
from horae import __version__
from horae.training import Trainer, Training


def vmapped(task: Task, **table: object) -> Horae:
    """The same rounds by `training.path = "vmap"`; table: fields of [training] besides."""
    engine = Horae(task, 1)
    plain = engine.trainer
    fields: dict[str, object] = {"path": "vmap", **table}
    training: Training = replace(plain.training, **fields)  # type: ignore[arg-type]
    engine.trainer = Trainer(plain.module, training, task.x, task.y, task.seed)
    return engine


def main() -> None:
    """Answer the harness."""
    wire = Wire()
    with threadpool_limits(limits=1):
        engine = vmapped(Task.load(sys.argv[1]))
        wire.ready(horae=__version__, torch=torch.__version__, path=engine.trainer.path_name)
        wire.obey(engine)
        engine.trainer.close()


if __name__ == "__main__":
    main()
