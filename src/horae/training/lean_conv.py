"""Modules whose convolutions are our own where that is quicker: images that are narrow, kernels that step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from horae.training.conv_direct import BROAD, compiled, convolve, convolve_back
from horae.training.images import draws_in_order

FEWEST = 4  # samples of a batch: a block is the same pixel of several


class Own(nn.Conv2d):
    """A convolution by `direct.c` where the images of a batch call for it, by torch otherwise."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self._suits(input, weight):
            found: Tensor = super()._conv_forward(input, weight, bias)
            return found
        apply: Callable[..., Tensor] = _Convolved.apply
        return apply(input, weight, bias, self.stride, self.padding)

    def _suits(self, x: Tensor, weight: Tensor) -> bool:
        if x.ndim != 4 or len(x) < FEWEST or {x.dtype, weight.dtype} != {torch.float32}:
            return False
        padding = self.padding[1]
        assert not isinstance(padding, str)
        narrow = min(x.shape[3], x.shape[3] + 2 * padding - weight.shape[3] + 1) < BROAD
        return narrow or self.stride != (1, 1)


class _Convolved(torch.autograd.Function):
    """Both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any) -> Tensor:
        wide, kernel = x.permute(0, 2, 3, 1).contiguous(), weight.contiguous()
        ctx.save_for_backward(wide, kernel)
        ctx.how = stride, padding
        return convolve(wide, kernel, bias, stride, padding).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        wide, kernel = ctx.saved_tensors
        back, own = slopes[0].permute(0, 2, 3, 1).contiguous(), torch.empty_like(kernel)
        stride, padding = ctx.how
        dx = convolve_back(back, wide, kernel, stride, padding, own, first=not ctx.needs_input_grad[0])
        sums = back.sum((0, 1, 2)) if ctx.needs_input_grad[2] else None
        return None if dx is None else dx.permute(0, 3, 1, 2), own, sums, None, None


def can_be_quickened(module: nn.Module) -> bool:
    """Whether it would be another one, given a C compiler."""
    return any(_plain(part) for part in module.modules()) and not draws_in_order(module)


def quickened(module: nn.Module) -> nn.Module:
    """The module, or one that answers alike and sooner, with images that are channels last in memory: it shares no
    tensor with the first. Dropout draws in the order of memory: a module with one is left alone.
    """
    if not can_be_quickened(module) or compiled() is None:
        return module
    quick = copy.deepcopy(module)
    for part in quick.modules():
        if _plain(part):
            part.__class__ = Own
    return quick


def _plain(part: nn.Module) -> bool:
    """Whether it is a convolution that `direct.c` knows."""
    if type(part) is not nn.Conv2d or isinstance(part.padding, str) or part.padding_mode != "zeros":
        return False
    inside = all(0 <= around < taps for around, taps in zip(part.padding, part.kernel_size, strict=True))
    return inside and part.groups == 1 and part.dilation == (1, 1)
