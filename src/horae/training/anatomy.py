"""A module's anatomy: what its tensors are for, what they cost, and which units can be taken out."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from horae.pure.anatomy import Anatomy, Group, Kind, Tensor
from horae.pure.streams import stream
from horae.training.compact import compacted
from horae.training.dependencies import dependent_groups
from horae.training.flops import flops_by_tensor
from horae.training.layout import Layout
from horae.types import Bools

CLOSE = 1e-4  # of the logits' spread over samples: what the zero-masked model and the compact one may differ by
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


def anatomy_of(module: nn.Module, example: torch.Tensor) -> Anatomy:
    """The anatomy of a module that is fed samples like `example (1, *shape)`, in the order of its flat vectors.

    Kinds: "classifier" is the last weight before the answer, unless there is no other to prune; "norm" are a norm's
    weight and bias; "embedding" an embedding's table; of the rest, "weight" has two dimensions or more and "bias" one.
    FLOPs of products that belong to no parameter (attention) are in no tensor. Groups are torch-pruning's where a trial
    shows that the model without some units is the one where they are zero; models of tokens have none.
    """
    classifier = _classifier(module, example)
    params, buffers = Layout.of_params(module), Layout.of_buffers(module)
    kinds, flops = _kinds(module, params, classifier), flops_by_tensor(module, example)
    tensors = tuple(Tensor(s.name, s.shape, s.start, kinds[s.name], flops.get(s.name, 0)) for s in params.slots)
    held = tuple(Tensor(s.name, s.shape, s.start, "norm") for s in buffers.slots)
    bare = Anatomy(tensors, held)
    if not example.is_floating_point():
        return bare
    return Trial.of(module, example).passed(bare, dependent_groups(module, example, classifier))


def _kinds(module: nn.Module, params: Layout, classifier: str | None) -> dict[str, Kind]:
    """What each parameter is for."""
    kinds: dict[str, Kind] = {}
    for slot in params.slots:
        layer = module.get_submodule(slot.name.rpartition(".")[0])
        if slot.name == classifier:
            kinds[slot.name] = "classifier"
        elif isinstance(layer, NORMS):
            kinds[slot.name] = "norm"
        elif isinstance(layer, nn.Embedding | nn.EmbeddingBag):
            kinds[slot.name] = "embedding"
        else:
            kinds[slot.name] = "weight" if len(slot.shape) > 1 else "bias"
    if classifier in kinds and "weight" not in kinds.values():
        kinds[str(classifier)] = "weight"
    return kinds


def _classifier(module: nn.Module, example: torch.Tensor) -> str | None:
    """The parameter of two dimensions or more that is nearest to the answer, in steps of autograd's graph."""
    traced = copy.deepcopy(module).eval()
    names = {id(p): name for name, p in traced.named_parameters() if p.ndim > 1}
    for param in traced.parameters():
        param.requires_grad_()
    with torch.inference_mode(False), torch.enable_grad():
        ahead: deque[Any] = deque([traced(example.clone()).grad_fn])
    seen = set(ahead)
    while ahead:
        node = ahead.popleft()
        name = names.get(id(getattr(node, "variable", None)))
        if name is not None:
            return name
        for other, _ in getattr(node, "next_functions", ()):
            if other is not None and other not in seen:
                seen.add(other)
                ahead.append(other)
    return None


@dataclass(frozen=True)
class Trial:
    """A module with random weights and statistics, and random samples: does it answer alike with zeros and without?"""

    module: nn.Module
    x: torch.Tensor
    rng: np.random.Generator

    @classmethod
    def of(cls, module: nn.Module, example: torch.Tensor) -> Trial:
        """The same for the same module."""
        rng = stream(0, "anatomy")
        return cls(_shaken(module, rng), torch.from_numpy(rng.normal(size=(2, *example.shape[1:])).astype("f4")), rng)

    def passed(self, bare: Anatomy, groups: Sequence[Group]) -> Anatomy:
        """The anatomy with those groups that agree: all, or those that do alone and then together, or none."""
        together = replace(bare, groups=tuple(groups))
        if not groups or self.agrees(together):
            return together
        alone = [group for group in groups if self.agrees(replace(bare, groups=(group,)))]
        together = replace(bare, groups=tuple(alone))
        return together if self.agrees(together) else bare

    @torch.no_grad()
    def agrees(self, anatomy: Anatomy) -> bool:
        """Whether the model without half of each group's units, or one of them, is the one where they are zero."""
        params = Layout.of_params(self.module)
        for share in (0.5, 0.0):
            units = _some(anatomy, share, self.rng)
            vector = torch.from_numpy(params.flatten(self.module) * anatomy.living(units))
            try:
                expected = functional_call(self.module, params.views(vector), (self.x,))
                found = compacted(self.module, anatomy, units)(self.x)
            except Exception:  # the module counts on its widths
                return False
            if expected.shape != found.shape or not float((expected - found).abs().max()) <= _bound(expected):
                return False
        return True


def _bound(logits: torch.Tensor) -> float:
    """How far apart two ways to the same logits may be: little of what they tell samples apart by."""
    spread = float((logits - logits.mean(0)).abs().max())
    return CLOSE * spread + 1e-6 * float(logits.abs().max())


def _some(anatomy: Anatomy, share: float, rng: np.random.Generator) -> Bools:
    """Units without that share of each group, one at least."""
    units = np.ones(anatomy.n_units, bool)
    for g, group in enumerate(anatomy.groups):
        gone = rng.permutation(group.n)[: max(1, int(share * group.n))]
        units[anatomy.first[g] + gone] = False
    return units


def _shaken(module: nn.Module, rng: np.random.Generator) -> nn.Module:
    """A copy, for tests, whose norms scale and shift and whose biases are not zero."""
    copied = copy.deepcopy(module).eval()
    for name, tensor in [*copied.named_parameters(), *copied.named_buffers()]:
        if tensor.is_floating_point():
            draws = torch.from_numpy(rng.uniform(0, 0.5, tuple(tensor.shape)).astype(np.float32))
            shift = 0.0 if tensor.ndim > 1 or name.endswith("running_var") else 0.2
            tensor.data = tensor.data * (1 + draws) + shift * (draws - 0.25)
    return copied
