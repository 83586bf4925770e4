"""The path for any module: one client after the other over a flat vector, by autograd and nothing heavier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from horae.pure.streams import stream
from horae.training.conv_net import kernels
from horae.training.conv_taps import Taps
from horae.training.descent import Descent
from horae.training.layout import Layout
from horae.training.lean_layers import can_be_quickened, quickened
from horae.training.plan import Batches, Training
from horae.training.samples import Samples
from horae.training.tasks import Task
from horae.training.work import Work
from horae.types import Doubles, Floats


@dataclass(frozen=True)
class Lean:
    """The module's parameters and float buffers are views into vectors; the module itself never changes.

    Padding never reaches the module, so that BatchNorm sees a client's samples alone. Its counters begin each round as
    they are in the module; random layers (dropout) draw from a stream of the client's own. Taps of convolutions that
    only ever see padding are left out where `taps` says so.
    """

    module: nn.Module
    layout: Layout
    buffers: Layout
    training: Training
    samples: Samples
    seed: int
    task: Task
    taps: bool = True

    @cached_property
    def name(self) -> str:
        """It tells whose convolutions are computed, since these round otherwise."""
        return "lean-torch" if can_be_quickened(self.module) and not kernels() else "lean"

    @cached_property
    def _living(self) -> tuple[Taps, Lean] | None:
        """The same by the module without dead taps, if it has some."""
        taps = Taps.of(self.module, self.samples.example) if self.taps else None
        return None if taps is None else (taps, replace(self, module=taps.module, layout=taps.live, taps=False))

    @cached_property
    def _quick(self) -> nn.Module:
        return quickened(self.module)

    def grain(self, clients: int) -> int:
        """Every client is trained by itself."""
        return 1

    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`; plan: with rows of the dataset. Returns buffers and each step's summed losses."""
        if self._living is not None:
            return self._train_living(*self._living, work, plan, updates)
        q, sums = len(work.clients), np.zeros(plan.counts.shape)
        buffers = np.repeat(work.buffers[None], q, 0)
        self._quick.train()
        with torch.random.fork_rng(devices=[]):
            for row in range(q):
                key = stream(self.seed, "layers", work.round, int(work.clients[row]))
                torch.default_generator.manual_seed(int(key.integers(2**63)))
                own = torch.from_numpy(buffers[row])
                updates[row] = self._train_client(work, plan, row, own, sums[row])
        return buffers, sums

    def _train_living(
        self, taps: Taps, small: Lean, work: Work, plan: Batches, updates: Floats
    ) -> tuple[Floats, Doubles]:
        own, found = np.empty((1, taps.live.size), np.float32), []
        cropped = taps.work(work)
        for row, steps in enumerate((plan.counts > 0).sum(axis=1).tolist()):
            one = slice(row, row + 1)
            found.append(small.train(cropped.part(one), plan.part(one), own))
            rest = taps.rest(self.training, work, row, steps)
            updates[row] = 0.0 if rest is None else rest
            taps.spread(torch.from_numpy(own[0]), torch.from_numpy(updates[row]))
        if not found:
            return np.repeat(work.buffers[None], 0, 0), np.zeros(plan.counts.shape)
        return np.concatenate([b for b, _ in found]), np.concatenate([sums for _, sums in found])

    def _train_client(self, work: Work, plan: Batches, row: int, buffers: Tensor, losses: Doubles) -> Tensor:
        """The update `(P,)` of one client; its buffers and summed losses `(steps,)` are filled in place."""
        descent = Descent(self.training, work, np.array([row]))
        params = {name: view.requires_grad_() for name, view in self.layout.views(descent.weights[0]).items()}
        counters = {name: b.clone() for name, b in self.module.named_buffers() if not b.is_floating_point()}
        tensors = {**params, **self.buffers.views(buffers), **counters}
        index, room = torch.from_numpy(plan.index[row]), torch.empty(self.layout.size)
        for step, (picked, count) in enumerate(zip(index, plan.counts[row].tolist(), strict=True)):
            if count:
                part = picked[:count]
                x, y = self.samples.some(part)
                out = functional_call(self._quick, tensors, (x,))
                if work.weights is None:
                    loss = told = self.task.mean(out, y)
                else:
                    each = self.task.each(out, y)
                    loss, told = each @ torch.from_numpy(plan.weight[row, step, :count]), each.mean()
                slopes = torch.autograd.grad(loss, list(params.values()), materialize_grads=True)
                losses[step] = count * told.item()
                with torch.no_grad():
                    descent.step_apart(slopes, list(params.values()), room)
        return descent.updates()[0]
