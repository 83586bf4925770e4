"""Convolutions without the taps that only ever see padding.

Where a map is smaller than the kernel (the last stages of a ResNet on 28x28 images), some rows and columns of the
kernel meet nothing but zeros: their slopes are exactly zero, and computing with them is in vain. What is left is
trained as a smaller module; dead taps take the optimiser's steps along a slope of zero.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from horae.pure.streams import stream
from horae.training.conv_pack import borrowed
from horae.training.descent import Descent
from horae.training.layout import Layout
from horae.training.plan import Training
from horae.training.work import Work
from horae.types import Ints

CLOSE = 1e-4  # of the answers' size: what the smaller module's may differ by

Spans = tuple[slice, slice]


@dataclass(frozen=True)
class Taps:
    """The smaller module, and which rows and columns of which kernels it has, by the kernel's name.

    whole, live: the vectors' layouts. The module's flat vector is `crop` of the whole one.
    """

    module: nn.Module
    spans: dict[str, Spans]
    whole: Layout
    live: Layout

    @classmethod
    def of(cls, module: nn.Module, example: Tensor) -> Taps | None:
        """None where every tap meets a number, or where the module does not answer alike without those that do not.

        example: a sample `(1, *shape)`.
        """
        spans = _spans(module, example)
        if not spans:
            return None
        small = copy.deepcopy(module)
        for name, (rows, columns) in spans.items():
            layer = small.get_submodule(name.rpartition(".")[0])
            assert isinstance(layer, nn.Conv2d)
            layer.weight = nn.Parameter(layer.weight.detach()[:, :, rows, columns].clone())
            starts, (high, wide) = (rows.start, columns.start), layer.weight.shape[2:]
            padding = [p - a * d for p, a, d in zip(_pair(layer.padding), starts, layer.dilation, strict=True)]
            layer.padding, layer.kernel_size = (padding[0], padding[1]), (high, wide)
            layer._reversed_padding_repeated_twice = [p for p in reversed(padding) for _ in range(2)]
        taps = cls(small, spans, Layout.of_params(module), Layout.of_params(small))
        return taps if taps._agrees(module, example) else None

    def crop(self, vector: Tensor) -> Tensor:
        """What lives of whole vectors `(..., P)`: `(..., live)`."""
        return torch.cat([part.reshape(*vector.shape[:-1], -1) for part in self._parts(vector)], -1)

    def spread(self, own: Tensor, out: Tensor) -> None:
        """Put what lives `(live,)` in its places of a whole vector."""
        for value, part in zip(self.live.views(own).values(), self._parts(out), strict=True):
            part.copy_(value)

    def work(self, work: Work) -> Work:
        """The same work for the smaller module."""
        drift = work.correction.drift
        own = None if drift is None else self.crop(torch.tensor(drift)).numpy()
        return replace(
            work,
            params=self.crop(borrowed(work.params)).numpy(),
            keep=None if work.keep is None else self.crop(torch.tensor(work.keep)).numpy(),
            correction=replace(work.correction, drift=own),
        )

    def rest(self, training: Training, work: Work, row: int, steps: int) -> Tensor | None:
        """The whole update `(P,)` of a client whose slopes were zero all along; None: it is zero.

        What it says of the weights that live does not hold.
        """
        table = work.table or training
        if not steps or (not table.weight_decay and work.correction.drift is None and work.keep is None):
            return None
        descent = Descent(training, work, np.array([row]))
        for _ in range(steps):
            descent.step(torch.zeros_like(descent.weights))
        return descent.updates()[0]

    def _parts(self, vector: Tensor) -> Iterator[Tensor]:
        for name, part in self.whole.views(vector).items():
            rows, columns = self.spans.get(name, (slice(None), slice(None)))
            yield part[..., rows, columns] if name in self.spans else part

    @torch.no_grad()
    def _agrees(self, module: nn.Module, example: Tensor) -> bool:
        """Whether both answer alike: a module may look at its kernels in ways of its own."""
        draws = stream(0, "taps").normal(size=(2, *example.shape[1:])).astype(np.float32)
        x, params = torch.from_numpy(draws), torch.from_numpy(self.whole.flatten(module))
        with _evaluating(module), _evaluating(self.module):
            try:
                expected = functional_call(module, self.whole.views(params), (x,))
                found = functional_call(self.module, self.live.views(self.crop(params)), (x,))
            except Exception:  # whatever somebody else's layer has to say
                return False
        size = float(expected.abs().max())
        return expected.shape == found.shape and float((expected - found).abs().max()) <= CLOSE * size


class _evaluating:
    """A module in evaluation mode, for a while."""

    def __init__(self, module: nn.Module) -> None:
        self.modes = {part: part.training for part in module.modules()}
        self.module = module

    def __enter__(self) -> None:
        self.module.eval()

    def __exit__(self, *_: object) -> None:
        for part, mode in self.modes.items():
            part.training = mode


def _spans(module: nn.Module, example: Tensor) -> dict[str, Spans]:
    """The rows and columns that live of every kernel that has dead ones."""
    owners = [id(p) for part in module.modules() for p in part.parameters(recurse=False)]
    plain = {
        f"{name}.weight": part
        for name, part in module.named_modules(remove_duplicate=False)
        if type(part) is nn.Conv2d and part.padding_mode == "zeros" and not isinstance(part.padding, str)
        if part.weight.requires_grad and owners.count(id(part.weight)) == 1
    }
    if not plain or not example.is_floating_point():
        return {}
    seen: dict[nn.Module, set[tuple[int, int]]] = {part: set() for part in plain.values()}

    def look(part: nn.Module, given: tuple[Tensor]) -> None:
        seen[part].add((int(given[0].shape[-2]), int(given[0].shape[-1])))

    hooks = [part.register_forward_pre_hook(look) for part in seen]
    try:
        with torch.no_grad(), _evaluating(module):
            module(torch.zeros_like(example))
    except Exception:  # whatever somebody else's layer has to say
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    found = {name: (_living(part, 0, seen[part]), _living(part, 1, seen[part])) for name, part in plain.items()}
    return {
        name: spans
        for name, spans in found.items()
        if any(s.stop - s.start < k for s, k in zip(spans, plain[name].kernel_size, strict=True))
    }


def _living(conv: nn.Conv2d, side: int, sizes: set[tuple[int, int]]) -> slice:
    """The taps along one side that meet a number in maps of these sizes; all, where fewer would move the answer."""
    kernel, stride, step = conv.kernel_size[side], conv.stride[side], conv.dilation[side]
    padding, everything = _pair(conv.padding)[side], slice(0, kernel)
    alive: Ints = np.zeros(0, np.int64)
    lengths = {size[side] for size in sizes}
    outs = {n: (n + 2 * padding - step * (kernel - 1) - 1) // stride + 1 for n in lengths}
    for n, out in outs.items():
        at = np.arange(out)[:, None] * stride - padding + np.arange(kernel) * step
        alive = np.union1d(alive, np.flatnonzero(((at >= 0) & (at < n)).any(axis=0)))
    if not alive.size:
        return everything
    span = slice(int(alive[0]), int(alive[-1]) + 1)
    less, fewer = padding - span.start * step, span.stop - span.start
    same = all((n + 2 * less - step * (fewer - 1) - 1) // stride + 1 == out for n, out in outs.items())
    return span if less >= 0 and same else everything


def _pair(padding: str | tuple[int, ...]) -> tuple[int, int]:
    assert not isinstance(padding, str)
    return padding[0], padding[1]
