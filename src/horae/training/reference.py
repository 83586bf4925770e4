"""The readable twin of the trainer: one client, plain torch, every formula in sight. Tests hold the others to it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from horae.training.plan import Training, batches
from horae.training.work import Trained, Work
from horae.types import Floats, Ints, Updates

Rule = Callable[[Tensor, Tensor], Tensor]  # (weights, gradient) -> new weights


def train_one(module: nn.Module, training: Training, work: Work, row: int, x: Floats, y: Ints, seed: int) -> Trained:
    """Train the client at `work.clients[row]`, one step after the other; the answer has that one row.

    For modules whose parameters all train, and without float buffers or dropout.
    """
    model = copy.deepcopy(module).train()
    keep = torch.ones(len(work.params)) if work.keep is None else torch.tensor(work.keep).float()
    start = weights = torch.tensor(work.params) * keep
    update, losses = update_rule(training, training.lr_at(work.round) * work.lr_scale), []
    for places in _places(training, work, row, seed):
        picked = np.asarray(work.rows[row], np.int64)[places]
        vector_to_parameters(weights, model.parameters())
        each = cross_entropy(model(torch.tensor(x[picked])), torch.tensor(y[picked]), reduction="none")
        lost = each if work.weights is None else each * torch.tensor(work.weights[row][places]).float()
        gradient = parameters_to_vector(torch.autograd.grad(lost.mean(), list(model.parameters())))
        bent = gradient + work.correction.prox * (weights - start) + _drift(work, row)
        weights = update(weights, bent * keep)
        losses.extend(each.tolist())
    mean = np.array([np.mean(losses) if losses else 0.0])
    processed, steps = np.array([len(losses)]), np.array([len(_places(training, work, row, seed))])
    counts = np.array([[len(picked) for picked in _places(training, work, row, seed)]])
    ends = np.cumsum(counts[0])
    sums = np.array([[np.sum(losses[end - n : end]) for end, n in zip(ends, counts[0], strict=True)]])
    return Trained(Updates((weights - start).numpy()[None]), work.buffers[None], mean, processed, steps, sums, counts)


def update_rule(training: Training, lr: float) -> Rule:
    """The optimiser, with fresh state."""
    return (
        sgd(lr, training.momentum, training.weight_decay)
        if training.optimizer == "sgd"
        else adam(lr, training.weight_decay)
    )


def sgd(lr: float, momentum: float, weight_decay: float) -> Rule:
    """SGD with heavy-ball momentum, whose buffer begins as the first gradient (torch.optim.SGD)."""
    velocity: Tensor | None = None

    def update(weights: Tensor, gradient: Tensor) -> Tensor:
        nonlocal velocity
        gradient = gradient + weight_decay * weights
        velocity = gradient if velocity is None else momentum * velocity + gradient
        return weights - lr * velocity

    return update


def adam(lr: float, weight_decay: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Rule:
    """Adam with L2 weight decay (torch.optim.Adam)."""
    m, v, t = torch.zeros(()), torch.zeros(()), 0

    def update(weights: Tensor, gradient: Tensor) -> Tensor:
        nonlocal m, v, t
        gradient, t = gradient + weight_decay * weights, t + 1
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        return weights - lr * m_hat / (v_hat.sqrt() + eps)

    return update


def _places(training: Training, work: Work, row: int, seed: int) -> list[Ints]:
    """The positions into the client's own samples of each step."""
    plan = batches(training, np.array([len(work.rows[row])]), work.clients[row : row + 1], seed, work.round)
    return [index[:count] for index, count in zip(plan.index[0], plan.counts[0], strict=True) if count]


def _drift(work: Work, row: int) -> Tensor:
    drift = work.correction.drift
    if drift is None:
        return torch.zeros(())
    return torch.tensor(drift if drift.ndim == 1 else drift[row])
