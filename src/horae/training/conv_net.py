"""Sequential convolutional networks, recognised: layers in the order in which they are computed, cut at wide ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from horae.training.conv_direct import MOST
from horae.training.conv_direct import compiled as direct
from horae.training.conv_kernel import compiled
from horae.training.conv_layers import (
    Convolve,
    Direct,
    Layer,
    Linear,
    Mean,
    Norm,
    Pool,
    Relu,
    Reshape,
    Squeezed,
    Tensors,
    Unfolded,
)

FEW = 32  # numbers under a kernel: up to here a first convolution is quicker as one product

Trace = list[Any]


@dataclass(frozen=True)
class Segment:
    """Some layers in a row. bottom: the first of the whole network that learns; None: slopes of the input are asked."""

    layers: tuple[Layer, ...]
    bottom: int | None = None

    def forward(self, x: Tensor, weights: Tensors) -> tuple[Tensor, Trace]:
        """The answer to x `(n, ...)`, and each layer's trace."""
        trace = []
        for layer in self.layers:
            x, kept = layer.forward(x, weights)
            trace.append(kept)
        return x, trace

    def backward(self, back: Tensor, trace: Trace, weights: Tensors, slopes: Tensors) -> Tensor:
        """Slopes of x, unless the network begins here; fills `slopes`. The trace is used up."""
        for i in range(len(self.layers) - 1, (self.bottom or 0) - 1, -1):
            back = self.layers[i].backward(back, trace.pop(), weights, slopes, i == self.bottom)
        return back


@dataclass(frozen=True)
class Net:
    """Segments, with one wide linear layer between each and the next."""

    segments: tuple[Segment, ...]
    wide: tuple[Linear, ...]

    @classmethod
    def of(cls, layers: tuple[Layer, ...], wide: frozenset[str] = frozenset()) -> Net:
        """wide: the names of those linear layers' weights."""
        runs: list[list[Layer]] = [[]]
        cuts: list[Linear] = []
        for layer in layers:
            if isinstance(layer, Linear) and layer.weight in wide:
                cuts.append(layer)
                runs.append([])
            else:
                runs[-1].append(layer)
        learning = [i for i, layer in enumerate(runs[0]) if isinstance(layer, Convolve | Norm | Squeezed | Linear)]
        segments = [Segment(tuple(run), None if i else learning[0]) for i, run in enumerate(runs)]
        return cls(tuple(segments), tuple(cuts))


def kernels() -> bool:
    """Whether both kernels of convolutional networks can be used; one of them alone never is."""
    return compiled() is not None and direct() is not None


def conv_stack(module: nn.Module, example: Tensor) -> tuple[Layer, ...] | None:
    """The module's layers, or None if it holds any other than convolutions, GroupNorm, pools, ReLU and linear ones.

    example: a sample `(1, *shape)`. A max-pool goes before a ReLU, with which it commutes; with a C compiler a
    convolution's norm, 2x2 pool and ReLU become one layer.
    """
    if not isinstance(module, nn.Sequential) or len(set(module)) < len(module):
        return None
    if any(not p.requires_grad for p in module.parameters()) or not any(isinstance(m, nn.Conv2d) for m in module):
        return None
    layers: list[Layer] = []
    x = torch.zeros_like(example)
    for name, part in module.named_children():
        before, x = tuple(x.shape), _answered(part, x)
        layer = _layer(name, part, before, tuple(x.shape)) if x.numel() else None
        if layer is None:
            return None
        layers.append(layer)
    if not _begins_by_convolving(layers):
        return None
    ordered = list(_pools_first(layers))
    first = next(i for i, layer in enumerate(ordered) if isinstance(layer, Convolve))
    ordered = [_quicker(layer, module, i == first) for i, layer in enumerate(ordered)]
    return tuple(_squeezed(ordered) if kernels() else ordered)


@torch.no_grad()
def _answered(part: nn.Module, x: Tensor) -> Tensor:
    """What the module answers, nothing where it refuses."""
    try:
        answer = part(x)
    except Exception:  # a group of one number, a pool that finds no window
        return torch.empty(0)
    return answer if isinstance(answer, Tensor) else torch.empty(0)


def _begins_by_convolving(layers: list[Layer]) -> bool:
    learning = [layer for layer in layers if not isinstance(layer, Reshape)]
    return bool(learning) and isinstance(learning[0], Convolve)


def _layer(name: str, part: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> Layer | None:
    """One module as a layer, None where it is of no kind that is known."""
    bias = f"{name}.bias" if getattr(part, "bias", None) is not None else None
    match part:
        case nn.Conv2d() if part.padding_mode == "zeros" and not isinstance(part.padding, str):
            how = (_two(part.stride), _two(part.padding), _two(part.dilation), part.groups)
            return Convolve(f"{name}.weight", bias, *how) if type(part) is nn.Conv2d else None
        case nn.GroupNorm() if type(part) is nn.GroupNorm and part.affine and len(before) == 4:
            return Norm(f"{name}.weight", f"{name}.bias", part.num_groups, part.eps)
        case nn.MaxPool2d(ceil_mode=False, return_indices=False) if _two(part.dilation) == (1, 1):
            return Pool(_two(part.kernel_size), _two(part.stride), _two(part.padding)) if len(before) == 4 else None
        case nn.AdaptiveAvgPool2d() if len(before) == 4:
            return Mean((after[2], after[3]))
        case nn.ReLU():
            return Relu()
        case nn.Flatten(start_dim=1, end_dim=-1) | nn.Unflatten(dim=1):
            return Reshape(after[1:])
        case nn.Linear() if type(part) is nn.Linear and len(before) == 2:
            return Linear(f"{name}.weight", bias)
        case _:
            return None


def _pools_first(layers: list[Layer]) -> Iterator[Layer]:
    """The layers with every max-pool moved before a ReLU that it follows."""
    waiting: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Relu):
            waiting = [layer]  # a second one changes nothing
            continue
        if not isinstance(layer, Pool):
            yield from waiting
            waiting = []
        yield layer
    yield from waiting


def _quicker(layer: Layer, module: nn.Module, first: bool) -> Layer:
    """A plain convolution as our own, or as products where it is the first and one of few numbers."""
    if not isinstance(layer, Convolve) or (layer.dilation, layer.groups) != ((1, 1), 1):
        return layer
    kernel = module.get_parameter(layer.weight)
    inside = all(around < taps for around, taps in zip(layer.padding, kernel.shape[2:], strict=True))
    if inside and kernel.numel() <= MOST and kernels():
        return Direct(**vars(layer))
    return Unfolded(**vars(layer)) if first and layer.stride == (1, 1) and kernel[0].numel() <= FEW else layer


def _squeezed(layers: list[Layer]) -> Iterator[Layer]:
    """The layers with [convolution, norm or none, 2x2 max-pool, ReLU or none] as one."""
    at, ended = 0, len(layers)
    while at < ended:
        conv, norm = layers[at], layers[at + 1] if at + 1 < ended else None
        pool = at + (2 if isinstance(norm, Norm) else 1)
        if isinstance(conv, Convolve) and pool < ended and layers[pool] == Pool((2, 2), (2, 2)):
            relu = pool + 1 < ended and isinstance(layers[pool + 1], Relu)
            yield Squeezed(conv, norm if isinstance(norm, Norm) else None, relu)
            at = pool + 1 + relu
        else:
            yield conv
            at += 1


def _two(value: Any) -> tuple[int, int]:
    one, two = (value, value) if isinstance(value, int) else value
    return int(one), int(two)
