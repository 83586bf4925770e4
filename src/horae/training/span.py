"""The path for logistic regression without a compiler: in the space of a client's samples, no client's weights formed.

Every local gradient is Σ dy x^T over a step's samples, so after s steps of plain SGD

    w_s = a w_0 - Σ_{t<s} b_t dY_t^T X_t,      logits_s = a X_s w_0^T - Σ_{t<s} b_t (X_s X_t^T) dY_t

with scalars a and b_t that momentum, weight decay and prox decide alone. All that is large is two products shared by a
chunk of clients: X w_0^T, and at the end dY^T X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from horae.training.dense import Dense
from horae.training.descent import coefficients
from horae.training.plan import Batches
from horae.training.work import Work
from horae.types import Doubles, Floats, Ints

MOST_SAMPLES = 512  # of one client in one round: beyond, the products among its own samples cost more than they save


@dataclass(frozen=True)
class Span:
    """Chunks of clients in lock-step. What it cannot honour (Adam, drift, submodels, long rounds) `dense` does."""

    dense: Dense

    name = "span"

    def grain(self, clients: int) -> int:
        """Clients trained together: a chunk."""
        return self.dense.grain(clients)

    @torch.inference_mode()
    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`; plan: with rows of the dataset. Returns buffers and each step's summed losses."""
        training, (clients, steps, batch) = work.table or self.dense.training, plan.index.shape
        bent = work.correction.drift is not None or work.keep is not None
        if training.optimizer == "adam" or bent or not 0 < steps * batch <= MOST_SAMPLES:
            return self.dense.train(work, plan, updates)
        sums = np.empty((clients, steps))
        for first in range(0, clients, training.chunk):
            rows = np.arange(first, min(first + training.chunk, clients))
            updates[rows[0] : rows[-1] + 1], sums[rows] = self._train_chunk(work, plan, rows)
        return np.repeat(work.buffers[None], clients, 0), sums

    def _train_chunk(self, work: Work, plan: Batches, rows: Ints) -> tuple[Tensor, Tensor]:
        """Updates `(clients, P)` and summed losses `(clients, steps)` of the clients at `rows`."""
        (layer,), (k, steps, batch) = self.dense.stack, plan.index[rows].shape
        start = self.dense.layout.views(work.start()[None])
        index = torch.from_numpy(plan.index[rows])
        x = self.dense.x.index_select(0, index.reshape(-1))
        first = x @ start[layer.weight][0].T
        if layer.bias:
            first += start[layer.bias][0]
        x, first = x.view(k, steps * batch, -1), first.view(k, steps, batch, -1)
        y, weight = self.dense.y.take(index).unsqueeze(3), torch.from_numpy(plan.weight[rows]).unsqueeze(3)
        steps_of = torch.from_numpy(plan.counts[rows] > 0)
        slopes, scale, losses = self._descend(work, first, x, (y, weight, steps_of))
        return self._updates(x, slopes, scale, start), losses

    def _descend(
        self, work: Work, first: Tensor, x: Tensor, columns: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Slopes dY times what they weigh at the end `(clients, samples, classes)`, what w_0 weighs, step losses."""
        y, weight, at_work = columns
        k, steps, batch, classes = first.shape
        slopes, losses = torch.zeros(k, steps * batch, classes), torch.zeros(k, steps, dtype=torch.float64)
        table, inner = coefficients(work.table or self.dense.training, work, steps), _inner(x)
        if self.dense.stack[0].bias:
            inner += 1.0  # a bias is an input that is always 1
        for s in range(steps):
            here, before = slice(s * batch, (s + 1) * batch), slice(0, s * batch)
            logits = first[:, s] * float(table[s, 0])
            if s:
                known = slopes[:, before] * _each(table[s, 1 : s + 1], batch)
                logits = torch.baddbmm(logits, inner[:, here, before], known)
            logp = torch.log_softmax(logits, 2)
            losses[:, s] = -(torch.gather(logp, 2, y[:, s]) * (weight[:, s] > 0)).sum((1, 2), dtype=torch.float64)
            slopes[:, here] = logp.exp_().mul_(weight[:, s]).scatter_add_(2, y[:, s], -weight[:, s])
        taken = at_work.sum(1)  # a client that ends earlier keeps what its own last step left
        last = torch.from_numpy(table)[taken]
        return slopes * last[:, 1:].repeat_interleave(batch, 1).unsqueeze(2), last[:, 0], losses

    def _updates(self, x: Tensor, slopes: Tensor, scale: Tensor, start: dict[str, Tensor]) -> Tensor:
        """w_end - w_0 for every client."""
        (layer,) = self.dense.stack
        updates = torch.empty(len(x), self.dense.layout.size)
        parts = self.dense.layout.views(updates)
        torch.bmm(slopes.transpose(1, 2), x, out=parts[layer.weight])
        if layer.bias:
            torch.sum(slopes, 1, out=parts[layer.bias])
        if bool((scale != 1).any()):
            for name, part in parts.items():
                part += (scale - 1).view(-1, *[1] * (part.ndim - 1)) * start[name]
        return updates


def _inner(x: Tensor) -> Tensor:
    """Every client's samples' inner products, `(clients, samples, samples)`.

    By numpy, which sees that a matrix meets itself and computes one half; a batched product by torch takes twice the
    time.
    """
    clients, samples, _ = x.shape
    inner = np.empty((clients, samples, samples), np.float32)
    for own, out in zip(x.numpy(), inner, strict=True):
        np.matmul(own, own.T, out=out)
    return torch.from_numpy(inner)


def _each(values: Floats, batch: int) -> Tensor:
    """One value per step as one per sample, `(samples, 1)`."""
    return torch.from_numpy(np.repeat(values, batch)).unsqueeze(1)
