"""The local optimiser of clients in lock-step: a few lines of arithmetic on `(clients, params)`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from horae.training.plan import Training
from horae.training.work import Work
from horae.types import Floats, Ints

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's, as in torch.optim


class Descent:
    """The weights of some clients during a round, and what follows them.

        g ← g + prox (w - w0) + drift + weight_decay · w,      dropped coordinates of g zero
        SGD    m ← momentum · m + g                            w ← w - lr · m
        Adam   m ← β1 m + (1 - β1) g,  v ← β2 v + (1 - β2) g²  w ← w - lr · m̂ / (√v̂ + ε)

    weights `(clients, P)` are changed in place, so that views into them stay good.

    Source: torch.optim.SGD and torch.optim.Adam (L2, not AdamW). Reading: the correction bends the gradient before
    weight decay is added; state is fresh each round.
    """

    def __init__(self, training: Training, work: Work, rows: Ints) -> None:
        """rows: the positions in `work.clients` of the clients that descend, those with most steps first."""
        self.training = training = work.table or training
        self.prox = work.correction.prox
        self.lr = training.lr_at(work.round) * work.lr_scale
        self.start = work.start()
        self.weights = self.start.repeat(len(rows), 1)
        self.dropped = None if work.keep is None else torch.tensor(~work.keep)
        self.drift = _drift(work, rows)
        self.first = torch.zeros_like(self.weights) if training.momentum or training.optimizer == "adam" else None
        self.second = torch.zeros_like(self.weights) if training.optimizer == "adam" else None
        self.taken = 0

    def step(self, gradient: Tensor) -> None:
        """One step of the first k clients along `gradient (k, P)`, which is used up. The others have finished."""
        self.taken += 1
        weights = self.weights[: len(gradient)]
        self._bend(gradient, weights)
        if self.first is None:
            weights.sub_(gradient, alpha=self.lr)
        elif self.second is None:
            velocity = self.first[: len(gradient)].mul_(self.training.momentum).add_(gradient)
            weights.sub_(velocity, alpha=self.lr)
        else:
            self._adam(weights, gradient, self.first[: len(gradient)], self.second[: len(gradient)])

    def step_apart(self, slopes: Sequence[Tensor], views: Sequence[Tensor], room: Tensor) -> None:
        """One step of a single client along a gradient in parts; views: the same parts of its weights. room `(P,)`."""
        bent = self.prox or self.training.weight_decay or self.drift is not None or self.dropped is not None
        if self.first is None and not bent:  # without writing the gradient down as a whole
            self.taken += 1
            torch._foreach_add_(list(views), list(slopes), alpha=-self.lr)
        else:
            self.step(torch.cat([slope.reshape(-1) for slope in slopes], out=room)[None])

    def updates(self) -> Tensor:
        """How far each client has come, w - w0, `(clients, P)`."""
        return self.weights - self.start

    def _bend(self, gradient: Tensor, weights: Tensor) -> None:
        if self.prox:
            gradient.add_(weights - self.start, alpha=self.prox)
        if self.drift is not None:
            gradient.add_(self.drift[: len(gradient)])
        if self.training.weight_decay:
            gradient.add_(weights, alpha=self.training.weight_decay)
        if self.dropped is not None:
            gradient.masked_fill_(self.dropped, 0.0)

    def _adam(self, weights: Tensor, gradient: Tensor, first: Tensor, second: Tensor) -> None:
        first.lerp_(gradient, 1 - BETA1)
        second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        unbias1, unbias2 = 1 - BETA1**self.taken, 1 - BETA2**self.taken
        scale = second.sqrt().div_(math.sqrt(unbias2)).add_(EPSILON)
        weights.addcdiv_(first, scale, value=-self.lr / unbias1)


def _drift(work: Work, rows: Ints) -> Tensor | None:
    drift = work.correction.drift
    if drift is None:
        return None
    return torch.tensor(drift if drift.ndim == 1 else drift[rows], dtype=torch.float32).expand(len(rows), -1)


def coefficients(training: Training, work: Work, steps: int) -> Floats:
    """What w is made of after s steps, in row s: the weight of w_0, then of each step's gradient: `(steps + 1,) * 2`.

    The optimiser's own recursion, on coefficients: g = e_s + prox (w - w_0) + weight_decay w, m ← momentum m + g,
    w ← w - lr m.
    """
    lr = training.lr_at(work.round) * work.lr_scale
    w, m = np.zeros(steps + 1), np.zeros(steps + 1)
    w[0] = 1.0
    table = [w.copy()]
    for s in range(steps):
        g = training.weight_decay * w + work.correction.prox * w
        g[0] -= work.correction.prox
        g[s + 1] += 1.0
        m = training.momentum * m + g
        w = w - lr * m
        table.append(w.copy())
    return np.stack(table).astype(np.float32)
