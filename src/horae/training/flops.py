"""What one sample costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

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
