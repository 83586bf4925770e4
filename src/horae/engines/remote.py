"""A round's updates that lie on a data plane: read one after the other, never all at once unless somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from horae.engines.parcels import opened, probe_in
from horae.errors import HoraeError, RunError, one_line
from horae.types import Bools, Channel, DataPlane, Doubles, Floats, Ref, Submodel, Updates

BLOCK = 2**18  # weights that are added at once


Adder = Callable[["RemoteUpdates", Doubles], Floats]


@dataclass(frozen=True)
class Arrival:
    """One participant's update: where it lies, and what the endpoint said about it. norm, sketch `(dims,)`: None where
    nothing was said.
    """

    client: int
    ref: Ref
    norm: float | None
    sketch: Floats | None = None
    submodel: Submodel | None = None


def accumulate(total: Floats, weight: float, row: Floats) -> None:
    """total += weight row, in float32 and in place."""
    factor = np.float32(weight)
    for first in range(0, total.size, BLOCK):
        total[first : first + BLOCK] += factor * row[first : first + BLOCK]


class RemoteUpdates(Updates):
    """The same questions as `Updates`, answered from what the endpoints said where that is enough, and else by reading.

    plane: where they lie. mask `(params,)`: coordinates outside of it count as zero; then nothing that was said holds.
    probes: the second update of each is meant, which lies beside the first.
    """

    def __init__(
        self,
        arrivals: tuple[Arrival, ...],
        plane: DataPlane,
        params: int,
        channels: tuple[Channel, ...] = (),
        mask: Bools | None = None,
        adder: Adder | None = None,
        probes: bool = False,
    ) -> None:
        self.arrivals, self.plane, self.params = arrivals, plane, params
        self.channels, self.mask, self._adder, self.probes = channels, mask, adder, probes

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def rows(self) -> Floats:
        """All updates, `(clients, params)`: for whoever cannot do without."""
        return self._each(lambda row: row, (self.params,))

    def combine(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`: by whoever else adds them up, or here."""
        if self._adder is not None and self.mask is None:
            return self._adder(self, weights)
        return self.flat(weights)

    def flat(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`, summed in client order in float32: one update in memory at a time."""
        total = np.zeros(self.params, np.float32)
        for weight, row in zip(weights.astype(np.float32), self._read(), strict=True):
            accumulate(total, weight, row)
        return total

    def through(self, adder: Adder) -> RemoteUpdates:
        """The same, added up by somebody else where nothing is masked."""
        return self._like(self.arrivals, self.mask, adder)

    def norms(self) -> Doubles:
        """The L2 norm of each update, as the endpoints said, `(clients,)`."""
        said = [a.norm for a in self.arrivals]
        if self.mask is None and None not in said:
            return np.array(said, np.float64)
        return np.array([Updates(row[None]).norms()[0] for row in self._read()], np.float64)

    def only(self, rows: Bools) -> RemoteUpdates:
        """The updates of some participants."""
        picked = tuple(self.arrivals[i] for i in np.arange(len(self))[rows])
        return self._like(picked, self.mask, self._adder)

    def masked(self, mask: Bools) -> RemoteUpdates:
        """The same with zeros outside of `mask (params,)`."""
        return self._like(self.arrivals, mask)

    def sketch(self, dims: int) -> Floats:
        """As `Updates.sketch`: what the endpoints sent if these were the dimensions they were asked for."""
        width = min(dims, self.params)
        said = [a.sketch for a in self.arrivals]
        if self.mask is None and said and all(s is not None and s.size == width for s in said):
            return np.stack([s for s in said if s is not None])
        return self._each(lambda row: Updates(row[None]).sketch(dims)[0], (width,))

    def along(self, ways: Floats) -> Floats:
        """Inner products with some directions `(ways, params)`: `(clients, ways)`."""
        return self._each(lambda row: ways @ row, (len(ways),))

    def gram(self) -> Floats:
        """All inner products, `(clients, clients)`: each update is read once for every one before it."""
        inner = np.zeros((len(self), len(self)), np.float32)
        for i, row in enumerate(self._read()):
            for j, other in enumerate(self._read(i + 1)):
                inner[i, j] = inner[j, i] = row @ other
        return inner

    def columns(self, part: slice) -> Floats:
        """A slice of coordinates of every update, `(clients, width)`."""
        width = len(range(*part.indices(self.params)))
        return self._each(lambda row: row[part], (width,))

    def _like(self, arrivals: tuple[Arrival, ...], mask: Bools | None, adder: Adder | None = None) -> RemoteUpdates:
        return RemoteUpdates(arrivals, self.plane, self.params, self.channels, mask, adder, self.probes)

    def _each(self, ask: Callable[[Floats], Floats], shape: tuple[int, ...]) -> Floats:
        """One answer per update."""
        out = np.empty((len(self), *shape), np.float32)
        for i, row in enumerate(self._read()):
            out[i] = ask(row)
        return out

    def _read(self, most: int | None = None) -> Iterator[Floats]:
        """The updates in the order of the participants. Errors: RunError where one is gone."""
        for arrival in self.arrivals[:most]:
            try:
                arrays, its = self.plane.get(arrival.ref), arrival.submodel
                row = probe_in(arrays, its) if self.probes else opened(self.channels, arrays, its)
            except Exception as error:
                why = one_line(error if isinstance(error, HoraeError) else f"{type(error).__name__}: {error}", 160)
                raise RunError(f"the update of client {arrival.client} is gone from the data plane: {why}") from None
            yield row if self.mask is None else np.where(self.mask, row, np.float32(0))
