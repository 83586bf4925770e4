"""Which channels and neurons of a network can be taken out, and what goes with each, by torch-pruning's graph."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from horae.pure.anatomy import Group, Slab
from horae.training.layout import Layout
from horae.types import Ints

PASSING = ("ElementWise", "Reshape", "Concat", "Split", "Slice", "Unbind", "Expand")  # torch-pruning's names


@dataclass(frozen=True)
class Owned:
    """The slices of one tensor that go with a layer's outputs: `root (shape[dim],)` names the output, -1 is none."""

    tensor: int
    dim: int
    root: Ints
    buffer: bool = False


@dataclass
class Copied:
    """A module's copy that may be traced: where its tensors stand in the flat vectors, how often each layer is used."""

    module: nn.Module
    params: dict[int, int]
    buffers: dict[int, int]
    calls: Counter[nn.Module] = field(default_factory=Counter)

    @classmethod
    def of(cls, module: nn.Module) -> Copied:
        """Frozen tensors stand nowhere, and those that two layers share do not either."""
        trained, held = Layout.of_params(module).names, Layout.of_buffers(module).names
        module = copy.deepcopy(module).eval()
        named, buffers = dict(module.named_parameters()), dict(module.named_buffers())
        shared = Counter(id(p) for _, p in module.named_parameters(remove_duplicate=False))
        for param in named.values():
            param.requires_grad_()  # the graph is traced by autograd
        places = {id(named[name]): i for i, name in enumerate(trained)}
        alone = {key: i for key, i in places.items() if shared[key] == 1}
        return cls(module, alone, {id(buffers[name]): i for i, name in enumerate(held)})

    def forward(self, module: nn.Module, x: Tensor) -> Tensor:
        """The module's answer, its layers counted."""
        hooks = [m.register_forward_hook(lambda m, *_: self.calls.update([m])) for m in module.modules()]
        answer: Tensor = module(x)
        for hook in hooks:
            hook.remove()
        return answer


def dependent_groups(module: nn.Module, example: Tensor, classifier: str | None) -> list[Group]:
    """The groups of units of a module that is fed floats, in the order of their layers; `classifier` names the weight
    whose rows are the logits, which stay.

    Left out, since a unit of theirs could not be taken out alone: what touches the answer itself, layers that are used
    twice or share a tensor, frozen ones, LayerNorm, recurrent layers, attention, embeddings, transposed convolutions,
    and convolutions in groups unless each channel is a group. Where a GroupNorm follows, a unit is all channels of a
    group of it, so that nobody else's statistics change.
    """
    import torch_pruning  # type: ignore[import-untyped, unused-ignore]

    copied, graph = Copied.of(module), torch_pruning.DependencyGraph()
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")  # of parameters outside layers, whose groups are left out here
            graph.build_dependency(copied.module, example, forward_fn=copied.forward, verbose=False)
            owner = copied.module.get_submodule(classifier.rpartition(".")[0]) if classifier else None
            found = [_group(graph, items.items, copied) for items in graph.get_all_groups([owner] if owner else [])]
    except Exception:  # whatever it has to say of a module that it cannot follow: nothing is taken out of that one
        return []
    return [group for _, group in sorted((pair for pair in found if pair), key=lambda pair: pair[0])]


def _group(graph: Any, items: list[Any], copied: Copied) -> tuple[int, Group] | None:
    """A dependency group as units, and the tensor of the first layer that makes them; None if one cannot be told."""
    owned: list[Owned] = []
    makers: list[int] = []
    edges: list[tuple[int, int]] = []
    for item in items:
        layer = item.dep.target.module
        if type(layer).__name__ in {f"_{name}Op" for name in PASSING}:
            continue
        found = _owned(graph, item, copied)
        joined = _joined(layer, item) if found is not None else None
        if found is None or joined is None:
            return None
        owned, edges = owned + found, edges + joined
        if isinstance(layer, nn.Linear | _ConvNd) and found[0].dim == 0:
            makers.append(found[0].tensor)
    first = min(makers)
    unit = _units(len(items[0].idxs), edges)
    n = int(unit.max()) + 1
    slabs = [(o.buffer, Slab(o.tensor, o.dim, np.append(unit, -1)[o.root])) for o in owned]
    name = _name(copied, first)
    group = Group(name, n, tuple(s for held, s in slabs if not held), tuple(s for held, s in slabs if held))
    return (first, group) if n > 1 else None


def _owned(graph: Any, item: Any, copied: Copied) -> list[Owned] | None:
    """What one layer's slices of this group are; None if the layer is none that can be cut."""
    layer, places, roots = item.dep.target.module, np.array(item.idxs), np.array(item.root_idxs)
    if not isinstance(layer, nn.Linear | _ConvNd | _NormBase | nn.GroupNorm) or copied.calls[layer] != 1:
        return None
    dim = 0
    if isinstance(layer, _ConvNd):
        alone = layer.groups == layer.in_channels == layer.out_channels  # a depthwise convolution, also of one channel
        if layer.transposed or (layer.groups > 1 and not alone):
            return None
        dim = int(layer.groups == 1 and graph.is_in_channel_pruning_fn(item.dep.handler))
    elif isinstance(layer, nn.Linear):
        dim = int(graph.is_in_channel_pruning_fn(item.dep.handler))
    found: list[Owned] = []
    for tensor, buffer in _tensors(layer, entering=dim == 1):
        index = (copied.buffers if buffer else copied.params).get(id(tensor))
        if index is None or places.max(initial=0) >= tensor.shape[dim]:
            return None
        root = np.full(tensor.shape[dim], -1)
        root[places] = roots
        found.append(Owned(index, dim, root, buffer))
    return found or None  # a norm without tensors would not know its new width


def _tensors(layer: nn.Module, *, entering: bool) -> Iterator[tuple[Tensor, bool]]:
    """A layer's tensors that a channel has a slice of, and whether they are buffers: entering channels only weights."""
    for name in ("weight",) if entering else ("weight", "bias", "running_mean", "running_var"):
        tensor = getattr(layer, name, None)
        if tensor is not None:
            yield tensor, name.startswith("running")


def _joined(layer: nn.Module, item: Any) -> list[tuple[int, int]] | None:
    """The outputs that go together, in pairs: all of one group of a GroupNorm. None if a group is cut in two."""
    if not isinstance(layer, nn.GroupNorm):
        return []
    root = np.full(layer.num_channels, -1)
    root[np.array(item.idxs)] = item.root_idxs
    rows = root.reshape(layer.num_groups, -1)
    if ((rows >= 0).any(axis=1) != (rows >= 0).all(axis=1)).any():
        return None
    return [(int(row[0]), int(other)) for row in rows if row[0] >= 0 for other in row[1:]]


def _units(n: int, edges: list[tuple[int, int]]) -> Ints:
    """The unit of each of n outputs, numbered by their first, where edges join them."""
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    from scipy.sparse import coo_array  # slow to import, and few need them
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(
        coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (n, n)), directed=False
    )
    _, first, unit = np.unique(label, return_index=True, return_inverse=True)
    ordered: Ints = np.argsort(np.argsort(first))[unit].astype(np.int64)
    return ordered


def _name(copied: Copied, tensor: int) -> str:
    """The layer that this tensor belongs to."""
    key = next(key for key, index in copied.params.items() if index == tensor)
    name = next(name for name, p in copied.module.named_parameters() if id(p) == key)
    return name.rpartition(".")[0]
