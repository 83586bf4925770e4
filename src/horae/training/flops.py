"""What one sample costs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from horae.training.stack import affine_stack


def forward_flops(module: nn.Module, sample: Tensor) -> int:
    """FLOPs of the forward pass of one sample `(1, *shape)`; multiply and add are two.

    Matrix products and convolutions count; biases, norms, pooling and activations do not, as is the custom. A training
    step is about three times this: forward, and backward to inputs and to weights.
    """
    stack = affine_stack(module, tuple(sample.shape[1:])) if sample.is_floating_point() else None
    if stack:  # by hand: the counter's first use loads sympy, for more than a second
        return sum(2 * module.get_parameter(layer.weight).numel() for layer in stack)
    return counted_flops(module, sample)


def counted_flops(module: nn.Module, sample: Tensor) -> int:
    """The same, counted by torch during a forward pass, whatever the module. Its mode stays as it was."""
    was_training = module.training
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module.eval()(sample)
    finally:
        module.train(was_training)
    return int(counter.get_total_flops())


def flops_by_tensor(module: nn.Module, sample: Tensor) -> dict[str, int]:
    """Each parameter's share of `forward_flops`, by name, 0 left out: of the products it stands in itself.

    Products of two activations, as in attention, belong to no parameter: they are what the sum lacks of the whole.
    Several parameters of one product, as in an LSTM, share it by size.
    """
    stack = affine_stack(module, tuple(sample.shape[1:])) if sample.is_floating_point() else None
    if stack:
        return {layer.weight: 2 * module.get_parameter(layer.weight).numel() for layer in stack}
    was_training, owners = module.training, _Owners(module)
    try:
        with torch.no_grad(), owners:
            module.eval()(sample)
    finally:
        module.train(was_training)
    return {name: round(flops) for name, flops in owners.flops.items()}


class _Owners(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which parameters the products of a forward pass are taken with: by the memory they lie in."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: Counter[str] = Counter()
        matrices = [(name, p) for name, p in module.named_parameters() if p.ndim > 1]
        self.names = {p.untyped_storage().data_ptr(): (name, p.numel()) for name, p in matrices}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            given = [t.untyped_storage().data_ptr() for t in tree_leaves(args) if isinstance(t, Tensor)]
            mine = {self.names[place] for place in given if place in self.names}
            total = sum(size for _, size in mine)
            for name, size in mine:
                self.flops[name] += formula(*args, **kwargs, out_val=out) * size / total
        return out
