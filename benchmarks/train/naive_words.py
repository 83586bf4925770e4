"""FROZEN: naive.py's round for bags of words, the yardstick of that row.

This file does not change when the trainer does: tests/unit/test_benchmarks_words.py holds its SHA-256. It is naive.py
with another network, torch's own `nn.EmbeddingBag`: a client gets a new nn.Module, the server's weights by
`load_state_dict`, a DataLoader over its share of the data set, a new `torch.optim.SGD`, asks for the loss of every
step, and hands its state back as numpy arrays; the server averages these by sample, array by array.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset, TensorDataset

from benchmarks.train.naive import State, averaged


class Words(nn.Module):
    """The sum of the rows of a table that a sample names, and a bias; row 0 is padding."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(classes))
        self.table = nn.EmbeddingBag(features, classes, mode="sum", padding_idx=0)
        nn.init.zeros_(self.table.weight)

    def forward(self, x: Tensor) -> Tensor:
        """int64 `(n, width)` to `(n, classes)`."""
        summed: Tensor = self.table(x)
        return summed + self.bias


def network(spec: dict[str, Any]) -> Words:
    """Logistic regression. spec: features, classes."""
    return Words(spec["features"], spec["classes"])


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
