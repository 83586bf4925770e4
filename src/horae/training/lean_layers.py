"""Modules whose convolutions and norms are our own where that is quicker."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from horae.training.conv_direct import BROAD, convolve, convolve_back
from horae.training.conv_kernel import norm, norm_back
from horae.training.conv_net import kernels
from horae.training.images import draws_in_order

FEW = 4  # planes: fewer are few
FEWEST = 4  # samples of a batch: a block is the same pixel of several
PIXELS = 16  # of an image from which on a norm is worth a call


class Own(nn.Conv2d):
    """A convolution: one product where its kernel is a pixel, `direct.c` where images are narrow, else torch."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.ndim == 4 and self._suits(input):
            if self.kernel_size == (1, 1) and self.groups == 1:
                return _product(input, weight, bias, self.stride)
            if len(input) >= FEWEST and input.dtype == weight.dtype == torch.float32:
                apply: Callable[..., Tensor] = _Convolved.apply
                return apply(input, weight, bias, (self.stride, self.padding, self.groups > 1))
        found: Tensor = super()._conv_forward(input, weight, bias)
        return found

    def _suits(self, x: Tensor) -> bool:
        """Whether a row is narrow, before or after; or, where it was halved, what few planes there are."""
        padding, taps, step, wide = self.padding[1], self.kernel_size[1], self.stride[1], x.shape[3]
        assert not isinstance(padding, str)
        narrow = min(wide, (wide + 2 * padding - taps) // step + 1) < BROAD
        return narrow or (step > 1 and (x.shape[1] < FEW or self.groups > 1 or taps == 1))


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...]) -> Tensor:
    """A kernel of one pixel."""
    met = x.permute(0, 2, 3, 1)[:, :: stride[0], :: stride[1]]
    return linear(met, weight.flatten(1), bias).permute(0, 3, 1, 2)


class _Convolved(torch.autograd.Function):
    """Both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, how: Any) -> Tensor:
        wide, kernel = x.permute(0, 2, 3, 1).contiguous(), weight.contiguous()
        ctx.save_for_backward(wide, kernel)
        ctx.how = how
        return convolve(wide, kernel, bias, *how).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        wide, kernel = ctx.saved_tensors
        back, own = slopes[0].permute(0, 2, 3, 1).contiguous(), torch.empty_like(kernel)
        dx = convolve_back(back, wide, kernel, ctx.how, own, first=not ctx.needs_input_grad[0])
        sums = back.sum((0, 1, 2)) if ctx.needs_input_grad[2] else None
        return None if dx is None else dx.permute(0, 3, 1, 2), own, sums, None


class OwnNorm(nn.GroupNorm):
    """GroupNorm by `conv.c` where images have their channels last in memory, by torch otherwise."""

    def forward(self, input: Tensor) -> Tensor:
        """As of GroupNorm."""
        alike = input.dtype == self.weight.dtype == torch.float32
        if input.ndim != 4 or not alike or input[0, 0].numel() < PIXELS or input.is_contiguous():
            return super().forward(input)
        if not input.is_contiguous(memory_format=torch.channels_last):
            return super().forward(input)
        apply: Callable[..., Tensor] = _Normalised.apply
        return apply(input, self.weight, self.bias, (self.num_groups, self.eps))


class _Normalised(torch.autograd.Function):
    """Both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, how: tuple[int, float]) -> Tensor:
        wide, (groups, eps) = x.permute(0, 2, 3, 1), how
        out, moments = norm(wide, groups, weight, bias, eps)
        ctx.save_for_backward(wide, moments, weight)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        wide, moments, weight = ctx.saved_tensors
        dx, dweight, dbias = norm_back(slopes[0].permute(0, 2, 3, 1).contiguous(), wide, moments, weight)
        return dx.permute(0, 3, 1, 2), dweight, dbias, None


def can_be_quickened(module: nn.Module) -> bool:
    """Whether it would be another one, given a C compiler."""
    return any(_plain(part) for part in module.modules()) and not draws_in_order(module)


def quickened(module: nn.Module) -> nn.Module:
    """The module, or one of the same parameters that answers alike and sooner, with images that are channels last in
    memory. Dropout draws in the order of memory: a module with one is left alone.
    """
    if not can_be_quickened(module) or not kernels():
        return module
    quick = copy.deepcopy(module, {id(tensor): tensor for tensor in module.parameters()})
    for part in quick.modules():
        if _plain(part):
            part.__class__ = Own
        elif type(part) is nn.GroupNorm and part.affine:
            part.__class__ = OwnNorm
    return quick


def _plain(part: nn.Module) -> bool:
    """Whether it is a convolution that `direct.c` knows."""
    if type(part) is not nn.Conv2d or isinstance(part.padding, str) or part.padding_mode != "zeros":
        return False
    inside = all(0 <= around < taps for around, taps in zip(part.padding, part.kernel_size, strict=True))
    apart = part.groups == part.in_channels == part.out_channels
    return inside and part.dilation == (1, 1) and (part.groups == 1 or apart)
