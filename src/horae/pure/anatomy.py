"""What a flat model is made of: its tensors, and the units (channels, neurons) that can be taken out of it whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["weight", "bias", "norm", "embedding", "classifier"]
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tensor:
    """One tensor's place in the flat vector: `vector[start : start + size]`, in its shape.

    kind: what it is for; the last layer's weights are the classifier. flops: of a forward pass of one sample that use
    it; multiply and add are two.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    kind: Kind = "weight"
    flops: int = 0

    @property
    def size(self) -> int:
        """Numbers in it."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def part(self) -> slice:
        """Its place."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class Slab:
    """What a layer's units own of one tensor: the slices along `dim` for which `unit` names a unit.

    tensor: an index into `Anatomy.tensors`, or into `Anatomy.buffers`. unit `(shape[dim],)`: the group's unit that owns
    each index, -1 for none. Slices of different slabs may cross.
    """

    tensor: int
    dim: int
    unit: Ints


@dataclass(frozen=True)
class Group:
    """Units that can be taken out one by one: what a layer makes, with all that depends on it.

    name: the layer that makes them. n: how many there are. slabs: what they own of the parameters; buffers: of the
    buffers.
    """

    name: str
    n: int
    slabs: tuple[Slab, ...]
    buffers: tuple[Slab, ...] = ()


@dataclass(frozen=True)
class Anatomy:
    """A model's tensors in the order of the flat vector, its buffers in theirs, and the groups of its units.

    Units are numbered through all groups: group g's are `first[g] ... first[g] + groups[g].n - 1`. What a set of units
    leaves of a tensor is a smaller tensor, and the flat vector of the smaller model is that of the whole one without
    the coordinates that went: in the same order.
    """

    tensors: tuple[Tensor, ...]
    buffers: tuple[Tensor, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def n_params(self) -> int:
        """Length of the flat vector."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def n_units(self) -> int:
        """Units in all groups."""
        return sum(group.n for group in self.groups)

    @cached_property
    def first(self) -> tuple[int, ...]:
        """Each group's first unit."""
        ends = np.cumsum([0, *(group.n for group in self.groups)])
        return tuple(ends[:-1].tolist())

    def units_of(self, group: int) -> slice:
        """A group's units among all."""
        return slice(self.first[group], self.first[group] + self.groups[group].n)

    def alive(self, keep: Bools) -> Bools:
        """The units that own at least one of the living parameters, `(n_units,)`."""
        found: Bools = self.worth(keep) > 0
        return found

    def living(self, units: Bools) -> Bools:
        """The parameters that the living `units (n_units,)` leave, `(params,)`."""
        return self._living(units, self.tensors, buffers=False)

    def living_buffers(self, units: Bools) -> Bools:
        """The numbers of the buffers that they leave, `(buffers,)`."""
        return self._living(units, self.buffers, buffers=True)

    def worth(self, scores: NDArray[Any]) -> Doubles:
        """Σ of `scores (params,)` over what each unit owns, `(n_units,)`."""
        total = np.zeros(self.n_units)
        for g, group in enumerate(self.groups):
            for slab in group.slabs:
                tensor, owned = self.tensors[slab.tensor], slab.unit >= 0
                rest = tuple(d for d in range(len(tensor.shape)) if d != slab.dim)
                along = scores[tensor.part].reshape(tensor.shape).sum(axis=rest, dtype=np.float64)
                total[self.units_of(g)] += np.bincount(slab.unit[owned], along[owned], group.n)
        return total

    def _living(self, units: Bools, tensors: tuple[Tensor, ...], *, buffers: bool) -> Bools:
        alive = np.ones(sum(tensor.size for tensor in tensors), bool)
        for g, group in enumerate(self.groups):
            mine = units[self.units_of(g)]
            for slab in group.buffers if buffers else group.slabs:
                tensor = tensors[slab.tensor]
                gone = np.flatnonzero((slab.unit >= 0) & ~mine[slab.unit])
                view = alive[tensor.part].reshape(tensor.shape)
                view[(slice(None),) * slab.dim + (gone,)] = False
        return alive
