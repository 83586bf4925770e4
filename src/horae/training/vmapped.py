"""The path for a GPU: clients in lock-step by torch.func.vmap, data, weights and updates on the device.

The processor runs the same code, for tests and comparisons; it has quicker paths.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from horae.training.dense import _steps_first, _stretches
from horae.training.descent import Descent
from horae.training.layout import Layout
from horae.training.lean import Lean
from horae.training.plan import Batches
from horae.training.samples import Samples
from horae.training.vmapped_device import CPU, exact
from horae.training.vmapped_step import Loss, Step, plain_copy, step_of
from horae.training.vmapped_updates import Resident
from horae.training.work import Work
from horae.types import Doubles, Floats, Ints, Updates

log = logging.getLogger(__name__)


@dataclass
class Vmapped:
    """Chunks of `training.chunk` clients, one call for a step of all of them.

    Inside a chunk the clients with most steps stand first, so that those still training are always its first k; who has
    fewer samples than a batch is filled up with samples that count nothing. Where memory is short the updates move to
    this machine's, then a chunk is halved, down to one client; then `lean`, the path of one client after the other on
    the processor, does the rest. That is for good, and the log says so: bits depend on the chunk.
    """

    lean: Lean
    device: torch.device = CPU
    _size: int = field(init=False)
    _away: bool = field(default=False, init=False)
    _elsewhere: bool = field(default=False, init=False)
    _held: dict[int, list[Tensor]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.training, self.layout, self.name = self.lean.training, self.lean.layout, "vmap"
        if self.device.type != "cpu":
            self.name = f"vmap-{self.device.type}"
        self._size = self.training.chunk

    def grain(self, clients: int) -> int:
        """Clients trained together: a chunk."""
        return self.training.chunk

    def columns(self, work: Work, plan: Batches) -> int:
        """The width of the array that `train` fills in the trainer's own process: none, updates stay on the device."""
        return self.layout.size if work.units is not None else 0

    def told(self, updates: Floats, work: Work, plan: Batches) -> Updates:
        """What `train` has made, once."""
        pieces = self._held.pop(id(updates), None)
        return Updates(updates) if pieces is None else Resident(pieces, self.layout.size)

    def like(self, module: nn.Module) -> Vmapped:
        """The same for a smaller module."""
        layout, buffers = Layout.of_params(module), Layout.of_buffers(module)
        return Vmapped(replace(self.lean, module=module, layout=layout, buffers=buffers), self.device)

    @torch.no_grad()
    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`, or keep them for `told` where there are no columns; plan: with rows of the dataset.

        Returns buffers and each step's summed losses.
        """
        q, sums, pieces, first = len(work.clients), np.zeros(plan.counts.shape), list[Tensor](), 0
        keeps, chunk = updates.shape[1] != self.layout.size, self.training.chunk
        while first < q:
            end = min(first + max(self._size, 1), (first // chunk + 1) * chunk, q)
            some = slice(first, end)
            done = self._attempt(work.part(some), plan.part(some), pieces)
            if done is None:
                continue
            piece, sums[some] = done
            if keeps:
                pieces.append(piece.to(CPU) if self._away else piece)
            else:
                updates[some] = piece.to(CPU).numpy()
            first = end
        if keeps:
            self._held[id(updates)] = pieces
        return np.repeat(work.buffers[None], q, 0), sums

    def answers(self, params: Floats, buffers: Floats, rows: Ints, block: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The model's outputs and the truth for some rows of the data set, block by block, on the processor."""
        tensors = {**self.layout.views(torch.tensor(params)), **self.lean.buffers.views(torch.tensor(buffers))}
        there = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        for some in torch.split(torch.from_numpy(rows), block):
            found = self._answered(there, some) if self._size and not self._elsewhere else None
            if found is None:
                x, y = self.lean.samples.some(some)
                found = functional_call(self.lean.module.eval(), tensors, (x,)), y
            yield found

    def _answered(self, tensors: dict[str, Tensor], rows: Tensor) -> tuple[Tensor, Tensor] | None:
        """Outputs and truth by the device; None if its memory is too short for that."""
        module = self._module.eval()
        try:
            with self._as_asked():
                x, y = self._some(rows)
                return functional_call(module, tensors, (x,)).to(CPU), y.to(CPU)
        except torch.cuda.OutOfMemoryError:
            self._elsewhere = True
            log.warning("%s: the device's memory is short; the processor tests models from now on", self.name)
            return None
        finally:
            module.train()

    def _attempt(self, work: Work, plan: Batches, pieces: list[Tensor]) -> tuple[Tensor, Doubles] | None:
        """Updates and summed losses of some clients in their order; None if there was too little memory: try again."""
        if self._size == 0:
            own = np.empty((len(work.clients), self.layout.size), np.float32)
            with torch.enable_grad():
                _, sums = self.lean.train(work, plan, own)
            return torch.from_numpy(own), sums
        try:
            with self._as_asked():
                return self._train_chunk(work, plan)
        except torch.cuda.OutOfMemoryError:
            pass  # what it holds is let go first
        self._give_way(pieces)
        return None

    def _give_way(self, pieces: list[Tensor]) -> None:
        """Need less memory on the device from now on."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if not self._away and any(piece.device != CPU for piece in pieces):
            self._away, pieces[:] = True, [piece.to(CPU) for piece in pieces]
            log.warning("%s: the device's memory is short; updates are kept in this machine's from now on", self.name)
            return
        self._size //= 2
        if self._size:
            words = "%s: memory is short; %d clients train at a time from now on. For the same bits again say so: %s"
            log.warning(words, self.name, self._size, f"training.chunk = {self._size}")
            return
        words = '%s: memory is short even for one client; the processor trains from now on, as training.path = "%s"'
        log.warning(words, self.name, self.lean.name)

    def _train_chunk(self, work: Work, plan: Batches) -> tuple[Tensor, Doubles]:
        steps = (plan.counts > 0).sum(axis=1)
        rows = np.argsort(-steps, kind="stable")
        most = int(plan.counts.max(initial=0))
        with self.device:
            descent = Descent(self.training, work, rows)
        sums = torch.zeros(plan.counts.shape[1], len(rows), device=self.device)
        if most:
            self._walk(descent, plan, rows, most, work, sums)
        back = np.argsort(rows)
        losses = np.empty(plan.counts.shape)
        losses[rows] = sums.T.double().cpu().numpy()
        return descent.updates()[torch.from_numpy(back).to(self.device)], losses

    def _walk(self, descent: Descent, plan: Batches, rows: Ints, most: int, work: Work, sums: Tensor) -> None:
        """All steps of a chunk's clients; fills sums `(steps, clients)`."""
        gradient, step = torch.empty_like(descent.weights), self._steps[work.weights is not None]
        held = self.lean.buffers.views(torch.tensor(work.buffers).to(self.device))
        valid = torch.from_numpy((np.arange(most) < plan.counts[rows].T[:, :, None]).astype(np.float32)).to(self.device)
        index, share = _steps_first(plan.index[rows, :, :most]), _steps_first(plan.weight[rows, :, :most])
        share = share.to(self.device)
        for active, run in _stretches(plan.counts[rows]):
            width = len(rows) if self._compiles else active  # a graph has one shape
            weights, slopes = self.layout.views(descent.weights[:width]), self.layout.views(gradient[:width])
            for at in range(run.start, run.stop):
                x, y = self._some(index[at, :width])
                if self._compiles:
                    torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
                found, told = step(weights, held, x, y, share[at, :width], valid[at, :width])
                for name, slope in slopes.items():
                    slope.copy_(found[name])
                sums[at, :active] = told[:active]
                descent.step(gradient[:active])

    def _some(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Samples on the device."""
        x, y = self._samples.some(index.to(self._samples.x.device))
        return x.to(self.device), y.to(self.device)

    def _as_asked(self) -> AbstractContextManager[None]:
        return exact(self.device)

    @property
    def _compiles(self) -> bool:
        return self.training.compile and self.device.type == "cuda"

    @cached_property
    def _samples(self) -> Samples:
        """The data set on the device, if it has room for it."""
        samples = self.lean.samples
        try:
            with torch.inference_mode(False):
                return replace(samples, x=samples.x.to(self.device), y=samples.y.to(self.device))
        except torch.cuda.OutOfMemoryError:
            log.warning("%s: the data set does not fit on the device; batches go there one by one", self.name)
            return samples

    @cached_property
    def _module(self) -> nn.Module:
        with torch.inference_mode(False):  # whoever asks first, training can go on with it
            return plain_copy(self.lean.module, self.device)

    @cached_property
    def _steps(self) -> dict[bool, Step]:
        """By whether samples have weights of their own."""
        bf16 = self.training.precision == "bf16"
        losses = {own: Loss(self._module, self.lean.task, own, bf16) for own in (False, True)}
        return {own: step_of(loss, compiled=self._compiles) for own, loss in losses.items()}

    def __getstate__(self) -> dict[str, Any]:
        """Without what lies on the device: whoever gets this puts it there anew."""
        left = {"_samples", "_module", "_steps", "_held"}
        return {**{key: value for key, value in self.__dict__.items() if key not in left}, "_held": {}}
