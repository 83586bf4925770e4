"""What one sample costs."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from horae.training.stack import affine_stack


def forward_flops(module: nn.Module, shape: tuple[int, ...]) -> int:
    """FLOPs of the forward pass of one sample of that shape; multiply and add are two.

    Matrix products and convolutions count; biases, norms, pooling and activations do not, as is the custom. A training
    step is about three times this: forward, and backward to inputs and to weights.
    """
    if stack := affine_stack(module, shape):  # by hand: the counter's first use loads sympy, for more than a second
        return sum(2 * module.get_parameter(layer.weight).numel() for layer in stack)
    return counted_flops(module, shape)


def counted_flops(module: nn.Module, shape: tuple[int, ...]) -> int:
    """The same, counted by torch during a forward pass of zeros, whatever the module. Its mode stays as it was."""
    was_training = module.training
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module.eval()(torch.zeros(1, *shape))
    finally:
        module.train(was_training)
    return int(counter.get_total_flops())
