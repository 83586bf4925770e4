"""The layers of a sequential convolutional network: forward and backward by hand, images with channels last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from horae.training.conv_direct import convolve, convolve_back
from horae.training.conv_kernel import squeeze, unsqueeze

Tensors = dict[str, Tensor]
Two = tuple[int, int]
aten = torch.ops.aten


class Layer(Protocol):
    """One layer. What `forward` keeps, its trace, is what `backward` needs."""

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """The answer to x `(n, ...)`, and the trace."""

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """Slopes of x from `back`, those of the answer; fills `slopes`. first: nobody asks for those of x."""


@dataclass(frozen=True)
class Convolve:
    """A convolution: the names of its tensors, and what torch calls its arguments."""

    weight: str
    bias: str | None
    stride: Two
    padding: Two
    dilation: Two
    groups: int

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """The images, convolved."""
        x, bias = last(x), weights[self.bias] if self.bias else None
        return aten.convolution(x, weights[self.weight], bias, *self._how), x

    def backward(
        self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool, sums: Tensor | None = None
    ) -> Tensor:
        """As of every layer; sums `(c,)`: of `back` over pixels, where they are known."""
        sizes, mask = [len(weights[self.weight])], (not first, True, self.bias is not None and sums is None)
        dx, dw, db = aten.convolution_backward(last(back), trace, weights[self.weight], sizes, *self._how, mask)
        slopes[self.weight].copy_(dw)
        if self.bias:
            slopes[self.bias].copy_(db if sums is None else sums)
        return back if first else dx

    @property
    def _how(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, False, (0, 0), self.groups


@dataclass(frozen=True)
class Direct(Convolve):
    """A convolution whose kernel is not large, by `direct.c`."""

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """The images, convolved."""
        wide, bias = x.permute(0, 2, 3, 1).contiguous(), weights[self.bias] if self.bias else None
        return convolve(wide, weights[self.weight], bias, self.stride, self.padding).permute(0, 3, 1, 2), wide

    def backward(
        self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool, sums: Tensor | None = None
    ) -> Tensor:
        """As of every convolution."""
        wide = back.permute(0, 2, 3, 1).contiguous()
        how = (self.stride, self.padding, False)
        dx = convolve_back(wide, trace, weights[self.weight], how, slopes[self.weight], first)
        if self.bias:
            slopes[self.bias].copy_(wide.sum((0, 1, 2)) if sums is None else sums)
        return back if dx is None else dx.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Unfolded(Convolve):
    """A first convolution of few numbers, of stride 1: its patches side by side, once for both ways, and products."""

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """One product."""
        kernel = weights[self.weight]
        (out, planes, kh, kw), (ph, pw) = kernel.shape, self.padding
        n, _, h, w = x.shape
        padded = x.new_zeros(n, planes, h + 2 * ph, w + 2 * pw)
        padded[:, :, ph : ph + h, pw : pw + w] = x
        high, wide = padded.shape[2] - kh + 1, padded.shape[3] - kw + 1
        own, plane, row, _ = padded.stride()
        patches = padded.as_strided((planes, kh, kw, n, high, wide), (plane, row, 1, own, row, 1))
        patches = patches.reshape(planes * kh * kw, n * high * wide)
        flat = kernel.view(out, -1).T
        bias = weights[self.bias] if self.bias else None
        found = torch.mm(patches.T, flat) if bias is None else torch.addmm(bias, patches.T, flat)
        return found.view(n, high, wide, out).permute(0, 3, 1, 2), patches

    def backward(
        self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool, sums: Tensor | None = None
    ) -> Tensor:
        """It is always the first."""
        out = len(weights[self.weight])
        flat = back.permute(0, 2, 3, 1).reshape(-1, out)
        slopes[self.weight].view(out, -1).copy_(torch.mm(trace, flat).T)
        if self.bias:
            slopes[self.bias].copy_(flat.sum(0) if sums is None else sums)
        return back


@dataclass(frozen=True)
class Norm:
    """GroupNorm."""

    weight: str
    bias: str
    groups: int
    eps: float

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """Normalised by groups of channels."""
        n, c, h, w = x.shape
        how = (n, c, h * w, self.groups, self.eps)
        out, mean, rstd = aten.native_group_norm(x, weights[self.weight], weights[self.bias], *how)
        return out, (x, mean, rstd)

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """As of every layer."""
        x, mean, rstd = trace
        n, c, h, w = x.shape
        how = (n, c, h * w, self.groups, (not first, True, True))
        dx, dw, db = aten.native_group_norm_backward(last(back), x, mean, rstd, weights[self.weight], *how)
        slopes[self.weight].copy_(dw)
        slopes[self.bias].copy_(db)
        return back if first else dx


@dataclass(frozen=True)
class Pool:
    """Max-pool."""

    kernel: Two
    stride: Two
    padding: Two = (0, 0)

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """The largest of each window."""
        out, where = aten.max_pool2d_with_indices(last(x), self.kernel, self.stride, self.padding, (1, 1), False)
        return out, (x, where)

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """To where the largest came from."""
        x, where = trace
        how = (self.kernel, self.stride, self.padding, (1, 1), False)
        found: Tensor = aten.max_pool2d_with_indices_backward(last(back), last(x), *how, where)
        return found


@dataclass(frozen=True)
class Squeezed:
    """A convolution, perhaps a norm, a 2x2 max-pool, and perhaps a ReLU: all but the convolution in one pass."""

    conv: Convolve
    norm: Norm | None
    relu: bool

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """Two steps."""
        images, below = self.conv.forward(x, weights)
        wide, norm = images.permute(0, 2, 3, 1).contiguous(), self.norm
        pair = None if norm is None else (weights[norm.weight], weights[norm.bias])
        groups, eps = (0, 0.0) if norm is None else (norm.groups, norm.eps)
        out, pick, moments = squeeze(wide, groups, pair, eps, self.relu)
        return out.permute(0, 3, 1, 2), (below, wide, pick, moments)

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """Two steps back."""
        below, wide, pick, moments = trace
        weight = None if self.norm is None else weights[self.norm.weight]
        own, dw, db, sums = unsqueeze(back.permute(0, 2, 3, 1).contiguous(), wide, pick, moments, weight)
        if self.norm is not None:
            slopes[self.norm.weight].copy_(dw)
            slopes[self.norm.bias].copy_(db)
        return self.conv.backward(own.permute(0, 3, 1, 2), below, weights, slopes, first, sums)


@dataclass(frozen=True)
class Mean:
    """The mean over windows that leave an image of this size."""

    size: Two

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """Smaller images."""
        return aten._adaptive_avg_pool2d(x, self.size), x

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """Spread evenly."""
        found: Tensor = aten._adaptive_avg_pool2d_backward(last(back), trace)
        return found


@dataclass(frozen=True)
class Relu:
    """max(x, 0), in place."""

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """In place: nobody needs what was below zero."""
        x = x.relu_()
        return x, x

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """Where the answer is above zero."""
        found: Tensor = aten.threshold_backward(back, trace, 0)
        return found


@dataclass(frozen=True)
class Reshape:
    """Samples in another shape: `(n, h, w)` as images of one channel, images as vectors."""

    shape: tuple[int, ...]

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """The same numbers."""
        return x.reshape(len(x), *self.shape), x.shape

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """In the old shape."""
        return back.reshape(trace)


@dataclass(frozen=True)
class Linear:
    """x W^T + b."""

    weight: str
    bias: str | None

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Any]:
        """One product."""
        turned = weights[self.weight].T
        return torch.addmm(weights[self.bias], x, turned) if self.bias else torch.mm(x, turned), x

    def backward(self, back: Tensor, trace: Any, weights: Tensors, slopes: Tensors, first: bool) -> Tensor:
        """Two products."""
        torch.mm(back.T, trace, out=slopes[self.weight])
        if self.bias:
            torch.sum(back, 0, out=slopes[self.bias])
        return back if first else torch.mm(back, weights[self.weight])


def last(x: Tensor) -> Tensor:
    """Images with channels last in memory, and with strides that say so also where there is one channel."""
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
