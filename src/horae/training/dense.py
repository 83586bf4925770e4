"""The fast path for logistic regression and perceptrons: clients in lock-step, forward and backward written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from horae.training.descent import Descent
from horae.training.layout import Layout
from horae.training.plan import Batches, Training
from horae.training.work import Trained, Work
from horae.types import Ints


@dataclass(frozen=True)
class Affine:
    """One linear layer: the names of its tensors, and whether a ReLU follows."""

    weight: str
    bias: str | None
    relu: bool


def affine_stack(module: nn.Module, shape: tuple[int, ...]) -> tuple[Affine, ...] | None:
    """The module as linear layers with ReLUs, or None if it holds anything else (or shares or freezes a layer)."""
    if not isinstance(module, nn.Sequential) or len(set(module)) < len(module):
        return None
    if any(not p.requires_grad for p in module.parameters()):
        return None
    layers: list[Affine] = []
    flat = len(shape) == 1
    for name, layer in module.named_children():
        if type(layer) is nn.Linear and flat:
            layers.append(Affine(f"{name}.weight", None if layer.bias is None else f"{name}.bias", relu=False))
        elif type(layer) is nn.ReLU and layers:
            layers[-1] = Affine(layers[-1].weight, layers[-1].bias, relu=True)
        elif type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1):
            flat = True
        else:
            return None
    return tuple(layers) or None


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

    @property
    def grain(self) -> int:
        """Clients that must be trained together: a chunk."""
        return self.training.chunk

    @torch.inference_mode()
    def train(self, work: Work, plan: Batches) -> Trained:
        """Train everybody; plan: with rows of the dataset."""
        q, processed = len(work.clients), plan.counts.sum(axis=1)
        updates, sums = np.empty((q, self.layout.size), np.float32), np.empty(q)
        steps = (plan.counts > 0).sum(axis=1)
        for first in range(0, q, self.training.chunk):
            rows = first + np.argsort(-steps[first : first + self.training.chunk], kind="stable")
            updates[rows], sums[rows] = self._train_chunk(work, plan, rows)
        return Trained(updates, np.repeat(work.buffers[None], q, 0), sums / np.maximum(processed, 1), processed)

    def _train_chunk(self, work: Work, plan: Batches, rows: Ints) -> tuple[Tensor, Tensor]:
        """Updates `(clients, P)` and summed losses `(clients,)` of the clients at `rows`."""
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
        return descent.updates(), -(logp * (weight > 0)).sum((0, 2, 3), dtype=torch.float64)

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
