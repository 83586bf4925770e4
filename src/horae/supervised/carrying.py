"""A round's updates as values that can be packed, and the same updates, to the bit, out of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.engines.remote import Arrival, RemoteUpdates
from horae.settings import imported
from horae.types import Arrays, Bools, Channel, Floats, Ints, Ref, SparseUpdates, Updates

INLINE = "inline:"  # an address that this process alone reaches


@dataclass(frozen=True)
class Lying:
    """`RemoteUpdates`. address: of the data plane that holds them; or "", and arrays holds what lay there, by key."""

    arrivals: tuple[Arrival, ...]
    params: int
    channels: tuple[Channel, ...]
    mask: Bools | None
    address: str
    arrays: dict[str, Arrays]
    probes: bool = False


@dataclass(frozen=True)
class Sparse:
    """`SparseUpdates`. quick: the class of who does its largest sums, or ""."""

    heads: Floats
    names: NDArray[np.int32]
    values: Floats
    counts: Ints
    table_rows: int
    quick: str


def carried(updates: Updates) -> Any:
    """The updates as a value. What lies on a plane that other processes reach stays there; all else goes along.

    Errors: HoraeError where one is gone from an inline plane.
    """
    if isinstance(updates, RemoteUpdates):
        plane, address = updates.plane, updates.plane.address
        near = address.startswith(INLINE)
        arrays = {a.ref.key: dict(plane.get(a.ref)) for a in updates.arrivals} if near else {}
        return Lying(
            updates.arrivals, updates.params, updates.channels, updates.mask, "" if near else address, arrays,
            updates.probes,
        )  # fmt: skip
    if isinstance(updates, SparseUpdates):
        helper = type(updates._quick)
        quick = "" if updates._quick is None else f"{helper.__module__}:{helper.__qualname__}"
        columns = (updates.heads, updates.names, updates.values, updates.counts)
        return Sparse(*columns, updates.table_rows, quick)
    return Updates(updates.rows)


def back(value: Any) -> Updates:
    """The updates again, in another process."""
    if isinstance(value, Lying):
        plane: Any = Brought(value.arrays)
        if value.address:
            from horae.data_planes import attach

            plane = attach(value.address)
        return RemoteUpdates(value.arrivals, plane, value.params, value.channels, value.mask, probes=value.probes)
    if isinstance(value, Sparse):
        quick = imported(value.quick, "updates")() if value.quick else None
        return SparseUpdates(value.heads, value.names, value.values, value.counts, value.table_rows, quick)
    updates: Updates = value
    return updates


@dataclass(frozen=True)
class Brought:
    """What came along with the request, as a data plane that is read alone."""

    arrays: Mapping[str, Arrays]

    def get(self, ref: Ref, timeout_s: float = 60.0) -> Arrays:
        """The arrays of that name."""
        return self.arrays[ref.key]
