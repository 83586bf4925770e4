"""Updates that are kept as factors, and asked without being formed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from horae.training.conv_pack import Packing, borrowed
from horae.types import Bools, Doubles, Floats, Updates
from horae.types.values import signs

BLOCK = 2**23  # numbers of all clients together that are formed at once: 32 MiB
BAND = 256  # rows of a wide layer that are added up at once
CLIENTS = 16  # whose factors lie side by side in one product


class Factored(Updates):
    """The same questions as `Updates`, answered from factors; rows are formed a block at a time, or when asked for.

    packed `(clients, width)`: see `Packing`. start `(params,)`: what all began from. threads: that add up.
    """

    def __init__(self, packed: Floats, packing: Packing, start: Floats, threads: int = 1) -> None:
        self.packed, self.packing, self.start, self.threads = packed, packing, start, threads
        self._starts = packing.layout.views(borrowed(start))

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def rows(self) -> Floats:
        """All updates, `(clients, params)`: for whoever cannot do without."""
        return self.columns(slice(None))

    @torch.inference_mode()
    def combine(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`: a product of many clients' factors for each band of a wide layer."""
        packed, share = torch.from_numpy(self.packed), torch.from_numpy(weights.astype(np.float32))
        total = torch.empty(self.packing.layout.size)
        parts, narrow = self.packing.layout.views(total), self.packing.narrow
        for name, value in narrow.views(share @ packed[:, : narrow.size]).items():
            parts[name].copy_(value)
        scale, starts = share @ self.packing.scales(packed), self._starts
        for slot, factors in zip(self.packing.slots, self.packing.factors(packed), strict=True):
            self._add_up(torch.mul(starts[slot.name], scale, out=parts[slot.name]), *factors, share)
        return total.numpy()

    def norms(self) -> Doubles:
        """The L2 norm of each update, `(clients,)`: |s W + D^T X|² = s² |W|² + 2 s <X W^T, D> + <D D^T, X X^T>."""
        with ThreadPoolExecutor(self.threads) as pool:
            squares = np.array(list(pool.map(self._square, range(len(self)))), np.float64)
        return np.sqrt(np.maximum(squares, 0))

    def only(self, rows: Bools) -> Factored:
        """The updates of some participants."""
        return Factored(self.packed[rows], self.packing, self.start, self.threads)

    def sketch(self, dims: int) -> Floats:
        """As `Updates.sketch`: a client's bands are formed and folded one after the other."""
        params = self.packing.layout.size
        if params <= dims:
            return self.rows
        sign, folded = torch.from_numpy(signs(params, dims)), torch.zeros(len(self), dims)
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(partial(self._fold, sign=sign, folded=folded), range(len(self))))
        return folded.numpy()

    @torch.inference_mode()
    def along(self, ways: Floats) -> Floats:
        """Inner products with some directions V `(ways, params)`, `(clients, ways)`: <s W + D^T X, V> = s <W, V> +
        <X V^T, D>, a client after the other.
        """
        inner, each = np.zeros((len(self), len(ways)), np.float32), torch.from_numpy(np.ascontiguousarray(ways))
        wide, narrow = self.packing.layout.views(each), self.packing.narrowed(each)
        with ThreadPoolExecutor(self.threads) as pool:
            own = pool.map(partial(self._products, wide=wide, narrow=narrow), range(len(self)))
            for client, products in enumerate(own):
                inner[client] = products
        return inner

    def gram(self) -> Floats:
        """All inner products, `(clients, clients)`."""
        inner = np.zeros((len(self), len(self)), np.float32)
        for _, block in self._blocks():
            inner += block @ block.T
        return inner

    @torch.inference_mode()
    def columns(self, part: slice) -> Floats:
        """A slice of coordinates of every update, `(clients, width)`."""
        first, end, step = part.indices(self.packing.layout.size)
        if step != 1:
            return self.rows[:, part]
        packed = torch.from_numpy(self.packed)
        out = torch.empty(len(self), max(end - first, 0))
        named = {slot.name: i for i, slot in enumerate(self.packing.slots)}
        places = {slot.name: slot.start for slot in self.packing.narrow.slots}
        for slot in self.packing.layout.slots:
            low, high = max(first, slot.start), min(end, slot.start + slot.size)
            if low >= high:
                continue
            to, (a, b) = out[:, low - first : high - first], (low - slot.start, high - slot.start)
            if slot.name in named:
                to.copy_(self._formed(packed, named[slot.name], a, b))
            else:
                to.copy_(packed[:, places[slot.name] + a : places[slot.name] + b])
        return out.numpy()

    def _formed(self, packed: Tensor, which: int, first: int, end: int) -> Tensor:
        """Some numbers of a wide layer's updates, `(clients, end - first)`."""
        slot, (x, dy) = self.packing.slots[which], self.packing.factors(packed)[which]
        inputs = slot.shape[1]
        low, high = first // inputs, -(-end // inputs)
        own = torch.bmm(dy[:, :, low:high].transpose(1, 2), x)
        scales = self.packing.scales(packed)
        if bool((scales != 0).any()):
            own += scales[:, None, None] * self._starts[slot.name][low:high]
        return own.flatten(1)[:, first - low * inputs : end - low * inputs]

    @torch.inference_mode()
    def _square(self, client: int) -> float:
        """One client's squared norm."""
        packed = torch.from_numpy(self.packed[client : client + 1])
        square = packed[0, : self.packing.narrow.size].square().sum(dtype=torch.float64)
        scale = self.packing.scales(packed)[0].double()
        for slot, ((x,), (dy,)) in zip(self.packing.slots, self.packing.factors(packed), strict=True):
            square += ((x @ x.T) * (dy @ dy.T)).sum(dtype=torch.float64)
            if scale != 0:
                start = self._starts[slot.name]
                cross = ((x @ start.T) * dy).sum(dtype=torch.float64)
                square += scale**2 * start.square().sum(dtype=torch.float64) + 2 * scale * cross
        return float(square)

    @torch.inference_mode()
    def _products(self, client: int, wide: dict[str, Tensor], narrow: Tensor) -> Floats:
        """One client's inner products with directions, of which there are the wide parts and the narrow ones."""
        packed = torch.from_numpy(self.packed[client : client + 1])
        found, scale = narrow @ packed[0, : self.packing.narrow.size], self.packing.scales(packed)[0]
        for slot, ((x,), (dy,)) in zip(self.packing.slots, self.packing.factors(packed), strict=True):
            for i, way in enumerate(wide[slot.name]):
                found[i] += ((x @ way.T) * dy).sum()
                if scale != 0:
                    found[i] += scale * (self._starts[slot.name] * way).sum()
        return np.asarray(found.numpy())

    @torch.inference_mode()
    def _fold(self, client: int, sign: Tensor, folded: Tensor) -> None:
        """Fill one client's row of a sketch."""
        for first, values in self._bands(torch.from_numpy(self.packed[client : client + 1])):
            fold(values.mul_(sign[first : first + len(values)]), first, folded[client])

    def _bands(self, packed: Tensor) -> Iterator[tuple[int, Tensor]]:
        """One client's whole update in pieces that stay near, each with its place."""
        narrow, scale = self.packing.narrow.views(packed[0, : self.packing.narrow.size]), self.packing.scales(packed)
        wide = dict(zip(self.packing.wide, self.packing.factors(packed), strict=True))
        starts = self._starts
        for slot in self.packing.layout.slots:
            if slot.name not in wide:
                yield slot.start, narrow[slot.name].flatten().clone()
                continue
            (x,), (dy,) = wide[slot.name]
            for low in range(0, slot.shape[0], BAND):
                own = torch.mm(dy[:, low : low + BAND].T, x)
                if scale != 0:
                    own += scale * starts[slot.name][low : low + BAND]
                yield slot.start + low * slot.shape[1], own.flatten()

    def _add_up(self, total: Tensor, x: Tensor, dy: Tensor, share: Tensor) -> None:
        """total `(out, in)` += Σ_i share_i dy_i^T x_i. Bands share nothing: threads change no bit."""
        with ThreadPoolExecutor(self.threads) as pool:
            for first in range(0, len(self), CLIENTS):
                some = slice(first, first + CLIENTS)
                own = (dy[some] * share[some, None, None]).flatten(0, 1)
                together = x[some].reshape(-1, x.shape[2])
                list(
                    pool.map(partial(_add_band, together=together), torch.split(total, BAND), torch.split(own, BAND, 1))
                )

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        """All rows, some columns at a time."""
        params = self.packing.layout.size
        width = max(1, BLOCK // max(len(self), 1))
        for first in range(0, params, width):
            part = slice(first, min(first + width, params))
            yield part, self.columns(part)


@torch.inference_mode()
def _add_band(total: Tensor, own: Tensor, together: Tensor) -> None:
    total.addmm_(own.T, together)


def fold(values: Tensor, first: int, into: Tensor) -> None:
    """Add values, the first at place `first`, to their places modulo the length of `into`."""
    dims = len(into)
    lead = min(-first % dims, len(values))
    into[first % dims : first % dims + lead] += values[:lead]
    whole = (len(values) - lead) // dims * dims
    into += values[lead : lead + whole].view(-1, dims).sum(0)
    into[: len(values) - lead - whole] += values[lead + whole :]
