"""Flower's client, in a module that its actors import: a ClientApp made in a script is pickled with every message.

Each actor reads the data once. A client is the frozen loop's, so what differs from naive is Flower's own share.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch.utils.data import TensorDataset

from benchmarks.train.naive import train_client
from benchmarks.train.task import Task

TASK = "HORAE_BENCH_TASK"  # environment variable: where the task lies
app = ClientApp()


@cache
def _loaded() -> tuple[Task, TensorDataset, list[Any], list[Any]]:
    torch.set_num_threads(1)
    task = Task.load(os.environ[TASK])
    data = TensorDataset(torch.from_numpy(task.x), torch.from_numpy(task.y))
    return task, data, task.rows.tolist(), task.index.tolist()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the client that the message names, as naive does."""
    task, data, rows, batches = _loaded()
    client = int(message.content["config"]["client"])
    state = {name: array.numpy() for name, array in message.content["arrays"].items()}
    trained, count, loss = train_client(task.spec, state, data, rows[client], batches[client], task.lr)
    answer = RecordDict(
        {
            "arrays": ArrayRecord({name: Array(values) for name, values in trained.items()}),
            "metrics": MetricRecord({"num-examples": count, "loss": loss}),
        }
    )
    return Message(content=answer, reply_to=message)
