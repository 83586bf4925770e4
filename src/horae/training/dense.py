"""The fast path for logistic regression and perceptrons: clients in lock-step, forward and backward written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from horae.training.descent import Descent
from horae.training.layout import Layout
from horae.training.plan import Batches, Training
from horae.training.stack import Affine
from horae.training.work import Work
from horae.types import Doubles, Floats, Ints


@dataclass(frozen=True)
class Dense:
    """Chunks of `training.chunk` clients side by side: one batched product does a layer of all of them.

    Chunks are cut in the order of the work. Inside a chunk the clients with most steps stand first, so that those still
    training are always its first k rows.
    """

    stack: tuple[Affine, ...]
    layout: Layout
    training: Training
    x: Tensor
    y: Tensor

    name = "dense"

    def grain(self, clients: int) -> int:
        """Clients trained together: a chunk."""
        return self.training.chunk

    @torch.inference_mode()
    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`; plan: with rows of the dataset. Returns buffers and each step's summed losses."""
        q, sums = len(work.clients), np.empty(plan.counts.shape)
        steps = (plan.counts > 0).sum(axis=1)
        for first in range(0, q, self.training.chunk):
            rows = first + np.argsort(-steps[first : first + self.training.chunk], kind="stable")
            updates[rows], sums[rows] = self._train_chunk(work, plan, rows)
        return np.repeat(work.buffers[None], q, 0), sums

    def _train_chunk(self, work: Work, plan: Batches, rows: Ints) -> tuple[Tensor, Tensor]:
        """Updates `(clients, P)` and summed losses `(clients, steps)` of the clients at `rows`."""
        descent = Descent(self.training, work, rows)
        gradient = torch.empty_like(descent.weights)
        index, weight = _steps_first(plan.index[rows]), _steps_first(plan.weight[rows]).unsqueeze(3)
        labels, logp = self.y.take(index).unsqueeze(3), torch.zeros_like(weight)
        for active, steps in _stretches(plan.counts[rows]):
            weights, slopes = self.layout.views(descent.weights[:active]), self.layout.views(gradient[:active])
            columns = (column[steps, :active].unbind() for column in (index, labels, weight, logp))
            for picked, y, shares, out in zip(*columns, strict=True):
                x = self.x.index_select(0, picked.reshape(-1)).view(*picked.shape, -1)
                self._differentiate(x, y, shares, out, weights, slopes)
                descent.step(gradient[:active])
        return descent.updates(), -(logp * (weight > 0)).sum((2, 3), dtype=torch.float64).T

    def _differentiate(
        self, x: Tensor, y: Tensor, weight: Tensor, logp: Tensor, weights: dict[str, Tensor], slopes: dict[str, Tensor]
    ) -> None:
        """Write the gradient of every client's Σ weight · cross-entropy into `slopes`, log p of the labels into `logp`.

        x `(clients, batch, inputs)`; y, weight, logp `(clients, batch, 1)`.
        """
        trace = [x]
        for layer in self.stack:
            out = _affine(trace[-1], weights[layer.weight], weights[layer.bias] if layer.bias else None)
            trace.append(out.relu_() if layer.relu else out)
        back = torch.log_softmax(trace[-1], 2)
        torch.gather(back, 2, y, out=logp)
        back.exp_().mul_(weight).scatter_add_(2, y, -weight)  # (softmax - onehot) · weight
        for depth, layer in reversed(list(enumerate(self.stack))):
            if layer.relu:
                back = torch.ops.aten.threshold_backward(back, trace[depth + 1], 0)
            slopes[layer.weight].copy_(torch.bmm(back.transpose(1, 2), trace[depth]))
            if layer.bias:
                torch.sum(back, 1, out=slopes[layer.bias])
            if depth:
                back = torch.bmm(back, weights[layer.weight])


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    transposed = weight.transpose(1, 2)
    return torch.bmm(x, transposed) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, transposed)


def _steps_first(column: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(column.swapaxes(0, 1)))


def _stretches(counts: Ints) -> Iterator[tuple[int, slice]]:
    """Runs of steps with the same number of clients at work, until nobody is."""
    at_work = (counts > 0).sum(axis=0).tolist()
    for active, run in groupby(range(len(at_work)), key=at_work.__getitem__):
        steps = list(run)
        if active:
            yield active, slice(steps[0], steps[-1] + 1)
