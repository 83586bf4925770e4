"""FROZEN: the round that a user writes without a library, the yardstick of every speed that horae reports.

This file does not change when the trainer does, or old and new ratios could not be compared:
tests/unit/test_benchmarks_train.py holds its SHA-256. It knows nothing of horae.

A client gets a new nn.Module, the server's weights by `load_state_dict`, a DataLoader over its share of the data set, a
new `torch.optim.SGD`, asks for the loss of every step, and hands its state back as numpy arrays; the server averages
these by sample, array by array.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset, TensorDataset

State = dict[str, np.ndarray]


def network(spec: dict[str, Any]) -> nn.Sequential:
    """Convolution, GroupNorm (where there are groups), pool and ReLU for each of `channels`, then linear layers.

    spec: shape of a sample, channels, kernel, groups, hidden, classes.
    """
    layers: list[nn.Module] = []
    planes, side = spec["shape"][0], spec["shape"][-1]
    for width in spec["channels"]:
        layers.append(nn.Conv2d(planes, width, spec["kernel"], padding=spec["kernel"] // 2))
        if spec["groups"]:
            layers.append(nn.GroupNorm(spec["groups"], width))
        layers += [nn.MaxPool2d(2), nn.ReLU()]
        planes, side = width, side // 2
    layers.append(nn.Flatten())
    inputs = planes * side * side if spec["channels"] else int(np.prod(spec["shape"]))
    for width in spec["hidden"]:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    layers.append(nn.Linear(inputs, spec["classes"]))
    return nn.Sequential(*layers)


def train_client(
    spec: dict[str, Any], state: State, data: TensorDataset, rows: list[int], batches: list[list[int]], lr: float
) -> tuple[State, int, float]:
    """One client's state after a step per batch, its number of samples, and its mean loss.

    rows: of the data set, the client's own. batches: positions into them.
    """
    model = network(spec)
    model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    total = 0.0
    for x, y in DataLoader(Subset(data, rows), batch_sampler=batches):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    trained = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    return trained, len(rows), total / len(batches)


def averaged(answers: list[tuple[State, int, float]]) -> State:
    """The clients' states, averaged by their samples, array by array."""
    samples = sum(count for _, count, _ in answers)
    weighted = [{name: array * count for name, array in state.items()} for state, count, _ in answers]
    return {name: reduce(np.add, [state[name] for state in weighted]) / samples for name in weighted[0]}


def one_round(
    spec: dict[str, Any],
    state: State,
    data: TensorDataset,
    rows: list[list[int]],
    batches: list[list[list[int]]],
    lr: float,
) -> State:
    """The server's next state: everybody trains from `state`, one after the other, and is averaged."""
    answers = [train_client(spec, state, data, own, steps, lr) for own, steps in zip(rows, batches, strict=True)]
    return averaged(answers)
