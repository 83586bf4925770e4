"""Loss exploration: clients train copies of a model until the loss falls no more, and tell how far its weights went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from horae.engines.learning import Learning
from horae.training import Training, Work
from horae.training.plan import Optimizer
from horae.types import Doubles, Exploration, Explore, Floats, Ints

TOGETHER = 16  # explorers whose weights are held at once
SUMS: dict[str, Callable[[Doubles], Doubles]] = {"square": np.square, "signed": np.positive, "absolute": np.abs}


def explore(work: Explore, clients: Ints, rows: list[Ints], learning: Learning) -> tuple[Exploration, Ints]:
    """What these clients found, and the samples each processed, `(q,)` in order of id.

    rows: each client's samples. Every client starts from the same weights, which stay as they are, and is summed up in
    the order of the ids.
    """
    trainer = learning.world.trainer
    table, lr = _table(trainer.training, work)
    sums: dict[str, Doubles] = {str(name): np.zeros(trainer.n_params) for name in work.sums}
    order = np.argsort(clients, kind="stable")
    steps, samples = np.zeros(clients.size, np.int64), np.zeros(clients.size, np.int64)
    losses, fine = np.zeros(clients.size), np.zeros(clients.size, bool)
    apart = [np.zeros((0, trainer.n_params), np.float32)]
    for first in range(0, clients.size, TOGETHER):
        here, some = slice(first, first + TOGETHER), order[first : first + TOGETHER]
        start = Work(work.params, work.buffers, clients[some], [rows[i] for i in some], work.number, table=table)
        updates, steps[here], samples[here], losses[here] = _trained(start, work, table, learning)
        fine[here] = np.isfinite(updates).all(axis=1)
        for update in updates[fine[here]].astype(np.float64):
            for name, total in sums.items():
                total += SUMS[name](update)
        if work.each:
            apart.append(np.square(updates[fine[here]]))
    squares = np.concatenate(apart) if work.each else None
    return Exploration(clients[order][fine], sums, steps[fine], losses[fine], lr, squares), samples


def _trained(work: Work, how: Explore, table: Training, learning: Learning) -> tuple[Floats, Ints, Ints, Doubles]:
    """Updates, steps, samples and the last epoch's mean loss of each client.

    A client that stops early is trained twice, for nobody knows before when it will stop; its batches are the same, and
    it is charged for what it did once.
    """
    sizes = np.array([len(own) for own in work.rows], np.int64)
    epoch = -(-sizes // table.batch)
    budget = np.minimum(how.steps or np.iinfo(np.int64).max, how.epochs * epoch)
    whole = learning.train(replace(work, efforts=np.maximum(budget, 1).astype(np.float64)))
    ends, losses = _stops(whole.sums, whole.counts, np.maximum(epoch, 1), how.patience)
    updates, early = whole.updates.copy(), np.flatnonzero(ends < whole.steps)
    if early.size:
        again = learning.train(replace(work, efforts=ends.astype(np.float64)).some(early))
        updates[early] = again.updates
    samples = np.array([count[:end].sum() for count, end in zip(whole.counts, ends, strict=True)], np.int64)
    return updates, ends, samples, losses


def _stops(sums: Doubles, counts: Ints, epoch: Ints, patience: int) -> tuple[Ints, Doubles]:
    """After how many steps each client stops: `patience` epochs after that of the lowest mean loss, or at the end; and
    the mean loss of its last epoch.
    """
    ends, losses = (counts > 0).sum(axis=1), np.zeros(len(counts))
    for row, (length, taken) in enumerate(zip(epoch.tolist(), ends.tolist(), strict=True)):
        best, since = np.inf, 0
        for first in range(0, taken, length):
            part = slice(first, min(first + length, taken))
            losses[row] = sums[row, part].sum() / counts[row, part].sum()
            best, since = (losses[row], 0) if losses[row] < best else (best, since + 1)
            if since >= patience:
                ends[row] = part.stop
                break
    return ends, losses


def _table(training: Training, how: Explore) -> tuple[Training, float]:
    """One step as the unit, so that efforts count steps; and the learning rate."""
    lr = how.lr or training.lr_at(how.number)
    optimizer = cast(Optimizer, how.optimizer or training.optimizer)
    momentum = training.momentum if optimizer == "sgd" else 0.0
    table = replace(
        training, steps=1, epochs=0, lr=lr, schedule="constant", min_lr=0.0, optimizer=optimizer, momentum=momentum
    )
    return table, lr
