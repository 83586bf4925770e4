"""How a client's update is written down where wide layers are sums of outer products: its factors, side by side."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from horae.training.layout import Layout, Slot
from horae.types import Floats


def borrowed(vector: Floats) -> Tensor:
    """The array's own memory, so that processes that share it share the cache too; nobody writes into it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(np.ascontiguousarray(vector))


@dataclass(frozen=True)
class Packing:
    """A packed update: narrow weights, one number, then each wide layer's inputs `(rank, in)` and slopes `(rank, out)`.

    A wide layer's update is number · W_0 + slopes^T inputs. layout: of the whole model. wide: the names of the wide
    weights. rank: samples of a client in the round, repeats counted.
    """

    layout: Layout
    wide: tuple[str, ...]
    rank: int

    @cached_property
    def narrow(self) -> Layout:
        """Where all other weights lie in front of a packed update."""
        at, slots = 0, []
        for slot in self.layout.slots:
            if slot.name not in self.wide:
                slots.append(Slot(slot.name, slot.shape, at, slot.size))
                at += slot.size
        return Layout(tuple(slots))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The wide weights' places in the whole vector."""
        named = {slot.name: slot for slot in self.layout.slots}
        return tuple(named[name] for name in self.wide)

    @property
    def width(self) -> int:
        """Numbers of a packed update."""
        return self.narrow.size + 1 + self.rank * sum(sum(slot.shape) for slot in self.slots)

    @property
    def saves(self) -> bool:
        """Whether every wide layer is larger than its factors."""
        return self.rank > 0 and all(self.rank * sum(slot.shape) < slot.size for slot in self.slots)

    def factors(self, packed: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each wide layer's inputs `(q, rank, in)` and slopes `(q, rank, out)`, which share the memory of `packed`."""
        at, found = self.narrow.size + 1, []
        for out, inputs in (slot.shape for slot in self.slots):
            middle, end = at + self.rank * inputs, at + self.rank * (inputs + out)
            x, dy = packed[:, at:middle], packed[:, middle:end]
            found.append((x.view(len(packed), self.rank, inputs), dy.view(len(packed), self.rank, out)))
            at = end
        return found

    def scales(self, packed: Tensor) -> Tensor:
        """The number of each client `(q,)`."""
        return packed[:, self.narrow.size]

    def narrowed(self, vector: Tensor) -> Tensor:
        """The narrow weights `(..., n)` of whole vectors `(..., P)`."""
        whole = self.layout.views(vector)
        return torch.cat([whole[name].reshape(*vector.shape[:-1], -1) for name in self.narrow.names], -1)
