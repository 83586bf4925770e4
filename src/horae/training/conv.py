"""The path for sequential convolutional networks: a schedule by hand, and wide linear layers as sums of outer products.

A client's narrow weights (convolutions, norms, narrow linear layers) are its own and change in place. Of a wide layer
no client has any: a chunk of clients takes its steps together, and shares the products with the weights that all
started from (see `conv_wide`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from horae.training.conv_layers import Layer, Linear
from horae.training.conv_net import Net, conv_stack, kernels
from horae.training.conv_pack import Packing, borrowed
from horae.training.conv_updates import Factored
from horae.training.conv_wide import Wide, ended
from horae.training.descent import Descent, coefficients
from horae.training.layout import Layout
from horae.training.plan import Batches, Training
from horae.training.samples import Samples
from horae.training.work import Work
from horae.types import Doubles, Floats, Ints, Updates

WIDE = 2**19  # weights of a linear layer from which on it is wide
TOGETHER, FEWEST = 100, 40  # samples that should share a product with a wide layer's weights: at most, at least


@dataclass(frozen=True)
class Conv:
    """Clients one after the other, or in chunks where a layer is wide.

    What a wide layer cannot honour as a sum of outer products (Adam, drift, masks, rounds so long that the factors
    outgrow the weights) is done with every client's own weights, one client after the other.
    """

    layers: tuple[Layer, ...]
    layout: Layout
    training: Training
    samples: Samples
    threads: int = 1

    name = "conv"

    @classmethod
    def of(cls, module: nn.Module, training: Training, samples: Samples, threads: int = 1) -> Conv | None:
        """None where the module is another kind of network. threads: that add updates up."""
        layers, kind = conv_stack(module, samples.example), Conv if kernels() else Uncompiled
        return None if layers is None else kind(layers, Layout.of_params(module), training, samples, threads)

    def like(self, module: nn.Module) -> Conv:
        """The same for a smaller module of the same layers."""
        path = Conv.of(module, self.training, self.samples, self.threads)
        assert path is not None  # a sequence stays one
        return path

    def grain(self, clients: int) -> int:
        """Clients trained together: as many as give a wide layer samples enough, a chunk at most, and so that a round
        falls into an even number of parts, alike as that can be.
        """
        if not self.wide:
            return 1
        batch = self.training.batch
        most = min(self.training.chunk, max(1, TOGETHER // batch))
        parts = 2 * max(1, -(-clients // (2 * most)))
        return min(most, max(-(-FEWEST // batch), -(-clients // parts)))

    @cached_property
    def wide(self) -> tuple[str, ...]:
        """The names of the wide weights."""
        sizes = {slot.name: slot.size for slot in self.layout.slots}
        linear = (layer.weight for layer in self.layers if isinstance(layer, Linear))
        return tuple(name for name in linear if sizes[name] >= WIDE)

    def packing(self, work: Work, steps: int, batch: int) -> Packing | None:
        """How updates are written down as factors in a round of so many steps; None where they must be formed."""
        packing = Packing(self.layout, self.wide, steps * batch)
        bent = work.correction.drift is not None or work.keep is not None or work.units is not None
        linear = (work.table or self.training).optimizer == "sgd" and not bent
        return packing if self.wide and linear and packing.saves else None

    def columns(self, work: Work, plan: Batches) -> int:
        """Numbers of an update as `train` is to fill it."""
        packing = self.packing(work, *plan.index.shape[1:])
        return self.layout.size if packing is None else packing.width

    def told(self, updates: Floats, work: Work, plan: Batches) -> Updates:
        """The updates that `train` has filled, to be asked."""
        packing = self.packing(work, *plan.index.shape[1:])
        return Updates(updates) if packing is None else Factored(updates, packing, work.params, self.threads)

    @torch.inference_mode()
    def train(self, work: Work, plan: Batches, updates: Floats) -> tuple[Floats, Doubles]:
        """Fill updates `(q, P)`, or packed ones `(q, width)`; plan: with rows of the dataset. Returns buffers and each
        step's summed losses.
        """
        q, steps, batch = plan.index.shape
        packing, sums = self.packing(work, steps, batch), np.zeros((q, steps))
        if packing is None:
            net = Net.of(self.layers)
            for row in range(q):
                one = np.array([row])
                chunk = Chunk(net, self, work, plan, one, None)
                updates[row] = chunk.trained(sums)[0]
        else:
            net, params = Net.of(self.layers, frozenset(self.wide)), borrowed(work.params)
            narrow = replace(work, params=packing.narrowed(params).numpy())
            taken = (plan.counts > 0).sum(axis=1)
            grain = work.together or self.grain(q)
            for first in range(0, q, grain):
                rows = first + np.argsort(-taken[first : first + grain], kind="stable")
                packed = Chunk(net, self, narrow, plan, rows, (packing, params)).trained(sums)
                whole = updates.shape[1] == self.layout.size
                updates[rows] = Factored(packed, packing, work.params).rows if whole else packed
        return np.repeat(work.buffers[None], q, 0), sums


class Uncompiled(Conv):
    """Without a C compiler: torch's own convolutions, norms and pools, which round otherwise."""

    name = "conv-torch"


class Chunk:
    """Some clients during a round, those with most steps first."""

    def __init__(
        self, net: Net, path: Conv, work: Work, plan: Batches, rows: Ints, wide: tuple[Packing, Tensor] | None
    ) -> None:
        """wide: the packing, and the whole start; None: every client has all weights itself."""
        self.net, self.samples, self.plan, self.rows = net, path.samples, plan, rows
        layout = path.layout if wide is None else wide[0].narrow
        self.descents = [Descent(path.training, work, np.array([row])) for row in rows]
        self.weights = [layout.views(descent.weights[0]) for descent in self.descents]
        self.gradients = torch.empty(len(rows), 1, layout.size)
        self.slopes = [layout.views(gradient[0]) for gradient in self.gradients]
        self.packing, self.wide = None if wide is None else wide[0], list[Wide]()
        if wide is not None:
            packing, start = wide
            _, steps, batch = plan.index.shape
            self.packed = torch.zeros(len(rows), packing.width)
            table = torch.from_numpy(coefficients(work.table or path.training, work, steps))
            starts, most = packing.layout.views(start), int(plan.counts[rows].max())
            for layer, factors in zip(net.wide, packing.factors(self.packed), strict=True):
                x, dy = (factor.view(len(rows), steps, batch, -1)[:, :, :most] for factor in factors)
                self.wide.append(Wide(layer, starts[layer.weight], x, dy, table))

    def trained(self, sums: Doubles) -> Floats:
        """Take all steps; updates, packed where layers are wide. Fills the clients' rows of `sums (q, steps)`."""
        counts = self.plan.counts[self.rows]
        for step in range(counts.shape[1]):
            active = int(np.count_nonzero(counts[:, step]))
            if active:
                self._step(step, counts[:active, step].tolist(), sums)
        ends = torch.cat([descent.updates() for descent in self.descents])
        if self.packing is None:
            return ends.numpy()
        n, taken = self.packing.narrow.size, (counts > 0).sum(axis=1)
        self.packed[:, :n] = ends
        for wide in self.wide:
            self.packed[:, n] = ended(wide, taken)
        return self.packed.numpy()

    def _step(self, step: int, counts: list[int], sums: Doubles) -> None:
        """One step of the first clients, of so many samples each."""
        index = [torch.from_numpy(self.plan.index[row, step, :n]) for row, n in zip(self.rows, counts, strict=False)]
        drawn = [self.samples.some(own) for own in index]
        outs, traces = [x for x, _ in drawn], []
        for depth, segment in enumerate(self.net.segments):
            if depth:
                outs = self.wide[depth - 1].forward(step, outs, self._biases(depth - 1, len(outs)))
            passed = [segment.forward(x, own) for x, own in zip(outs, self.weights, strict=False)]
            outs = [out for out, _ in passed]
            traces.append([trace for _, trace in passed])
        backs = [self._loss(k, step, out, y, sums) for k, (out, (_, y)) in enumerate(zip(outs, drawn, strict=True))]
        for depth in range(len(self.net.segments) - 1, -1, -1):
            segment, mine = self.net.segments[depth], zip(backs, traces.pop(), self.weights, self.slopes, strict=False)
            backs = [segment.backward(*own) for own in mine]
            if depth:
                backs = self._widely(depth - 1, step, backs)
        for descent, gradient, _ in zip(self.descents, self.gradients, counts, strict=False):
            descent.step(gradient)

    def _loss(self, k: int, step: int, out: Tensor, y: Tensor, sums: Doubles) -> Tensor:
        """The slopes of a client's Σ weight · cross-entropy; its summed loss is noted."""
        weight, label = torch.from_numpy(self.plan.weight[self.rows[k], step, : len(y)])[:, None], y[:, None]
        back = torch.log_softmax(out, 1)
        sums[self.rows[k], step] = -float(back.gather(1, label).sum(dtype=torch.float64))
        return back.exp_().mul_(weight).scatter_add_(1, label, -weight)

    def _widely(self, which: int, step: int, backs: list[Tensor]) -> list[Tensor]:
        """Back through a wide layer."""
        wide = self.wide[which]
        if wide.layer.bias:
            for back, slopes in zip(backs, self.slopes, strict=False):
                torch.sum(back, 0, out=slopes[wide.layer.bias])
        return wide.backward(step, backs)

    def _biases(self, which: int, active: int) -> list[Tensor] | None:
        name = self.wide[which].layer.bias
        return [weights[name] for weights in self.weights[:active]] if name else None
