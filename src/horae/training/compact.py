"""The smaller module that a set of living units leaves."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from horae.errors import require
from horae.pure.anatomy import Anatomy, Slab
from horae.pure.anatomy import Tensor as Part
from horae.types import Bools


def check_units(anatomy: Anatomy, units: Bools) -> None:
    """Refuse living units `(n_units,)` that leave no module, or that the model does not have."""
    remedy = "recurrent and attention layers keep their width: prune single weights"
    require(anatomy.n_units > 0, "units", "be None for this model, whose layers keep their width", len(units), remedy)
    require(len(units) == anatomy.n_units, "units", f"be {anatomy.n_units}, the model's", len(units))
    for g, group in enumerate(anatomy.groups):
        left = int(np.count_nonzero(units[anatomy.units_of(g)]))
        require(left > 0, "units", f"leave layer {group.name} one of its {group.n} units", left, "prune less")


def compacted(module: nn.Module, anatomy: Anatomy, units: Bools) -> nn.Module:
    """A copy of the module without the units that do not live: every tensor, buffer and width is smaller.

    Its flat vector is `full[anatomy.living(units)]`, and its buffers `full[anatomy.living_buffers(units)]`.
    """
    check_units(anatomy, units)
    small = copy.deepcopy(module)
    named: dict[str, Tensor] = {**dict(small.named_parameters()), **dict(small.named_buffers())}
    with torch.no_grad():
        for tensors, buffers in ((anatomy.tensors, False), (anatomy.buffers, True)):
            for i, part in enumerate(tensors):
                alive = _alive(anatomy, units, i, part, buffers)
                named[part.name].data = _cut(named[part.name].data, alive)
    for layer in small.modules():
        _resize(layer)
    return small


def _alive(anatomy: Anatomy, units: Bools, index: int, part: Part, buffers: bool) -> list[Bools]:
    """The indices of a tensor that live, by dimension."""
    alive = [np.ones(length, bool) for length in part.shape]
    for g, group in enumerate(anatomy.groups):
        mine = units[anatomy.units_of(g)]
        slabs: tuple[Slab, ...] = group.buffers if buffers else group.slabs
        for slab in slabs:
            if slab.tensor == index:
                alive[slab.dim] &= (slab.unit < 0) | mine[slab.unit]
    return alive


def _cut(tensor: Tensor, alive: list[Bools]) -> Tensor:
    """The slices that live, contiguous."""
    for dim, lives in enumerate(alive):
        if not lives.all():
            tensor = tensor.index_select(dim, torch.from_numpy(np.flatnonzero(lives)))
    return tensor.contiguous()


def _resize(layer: nn.Module) -> None:
    """Let a layer say the widths that its tensors have."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, _ConvNd) and not layer.transposed:
        wide = layer.weight.shape[0]
        layer.groups = wide if layer.groups == layer.out_channels == layer.in_channels else layer.groups
        layer.out_channels, layer.in_channels = wide, layer.weight.shape[1] * layer.groups
    elif isinstance(layer, nn.GroupNorm) and layer.affine:
        wide = len(layer.weight)
        layer.num_groups = layer.num_groups * wide // layer.num_channels
        layer.num_channels = wide
    elif isinstance(layer, _NormBase):
        tensor = layer.weight if layer.weight is not None else layer.running_mean
        layer.num_features = layer.num_features if tensor is None else len(tensor)
