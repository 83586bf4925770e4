"""Training of smaller modules where some units of a model do not live, in the index space of the whole one."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn

from horae.pure.anatomy import Anatomy
from horae.training.anatomy import anatomy_of
from horae.training.compact import check_units, compacted
from horae.training.conv import Conv
from horae.training.dense import Dense
from horae.training.flops import forward_flops
from horae.training.layout import Layout
from horae.training.lean import Lean
from horae.training.native import Native
from horae.training.plan import Batches
from horae.training.pool import Path
from horae.training.stack import affine_stack
from horae.training.vmapped import Vmapped
from horae.training.window import Window
from horae.training.work import Work
from horae.types import Bools, Doubles, Floats

KEPT = 8  # compact modules that are kept


@dataclass(frozen=True)
class Small:
    """One compact module: how it is trained, and which of the whole model's parameters and buffers it has."""

    module: nn.Module
    path: Path
    params: Window
    buffers: Bools
    n_params: int


@dataclass
class Shaped:
    """The path of a module, and of any that its living units leave: whoever asks sees full index space.

    What does not live is zero in updates, and in buffers as it was sent. Compact modules train as the whole one does
    (lean as lean, native as native), so that a round is cut alike. module: the whole one; example `(1, *shape)`.
    """

    whole: Path
    module: nn.Module
    example: Tensor
    _kept: OrderedDict[bytes, Small] = field(default_factory=OrderedDict, init=False, repr=False)
    _flops: dict[bytes, int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.name = self.whole.name

    def grain(self, clients: int) -> int:
        """The whole module's path's, and so every other's."""
        return self.whole.grain(clients)

    @cached_property
    def anatomy(self) -> Anatomy:
        """The whole module's."""
        return anatomy_of(self.module, self.example)

    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`; plan: with rows of the dataset. Returns buffers and each step's summed losses."""
        if work.units is None:
            return self.whole.train(work, plan, updates)
        small = self._small(work.units)
        own = np.empty((len(work.clients), small.n_params), np.float32)
        ends, sums = small.path.train(_gathered(work, small), plan, own)
        small.params.scatter(own, updates)
        buffers = np.repeat(work.buffers[None], len(work.clients), 0)
        buffers[:, small.buffers] = ends
        return buffers, sums

    def flops_of(self, units: Bools) -> int:
        """FLOPs of the compact module's forward pass of one sample, counted."""
        key = np.packbits(units).tobytes()
        if key not in self._flops:
            self._flops[key] = forward_flops(self._small(units).module, self.example)
        return self._flops[key]

    def _small(self, units: Bools) -> Small:
        check_units(self.anatomy, units)
        key = np.packbits(units).tobytes()
        if key not in self._kept:
            module = compacted(self.module, self.anatomy, units)
            living, buffers = self.anatomy.living(units), self.anatomy.living_buffers(units)
            window = Window.of(self.anatomy.tensors, living)
            n_params = int(np.count_nonzero(living))
            self._kept[key] = Small(module, alike(self.whole, module), window, buffers, n_params)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def __getstate__(self) -> dict[str, Any]:
        """Without the compact modules: whoever gets this makes those that it needs."""
        return {**self.__dict__, "_kept": OrderedDict(), "_flops": {}}


def alike(path: Path, module: nn.Module) -> Path:
    """A path of the same kind and on the same samples for a smaller module."""
    layout = Layout.of_params(module)
    if isinstance(path, Lean):
        return replace(path, module=module, layout=layout, buffers=Layout.of_buffers(module))
    if isinstance(path, Conv | Vmapped):
        return path.like(module)
    assert isinstance(path, Native | Dense)  # a span is one linear layer, which has no units
    stack = affine_stack(module, (path.x.shape[1],))
    assert stack is not None  # a stack stays one
    if isinstance(path, Native):
        return Native.of(stack, layout, path.training, path.x, path.y)
    return replace(path, stack=stack, layout=layout)


def _gathered(work: Work, small: Small) -> Work:
    """The same work, in the index space of the compact module. A mask that drops nothing more is none."""
    drift, into = work.correction.drift, small.params.gathered
    keep = None if work.keep is None else into(work.keep)
    correction = replace(work.correction, drift=None if drift is None else into(drift))
    return replace(
        work,
        units=None,
        params=into(work.params),
        buffers=work.buffers[small.buffers],
        keep=None if keep is None or keep.all() else keep,
        correction=correction,
    )
