"""Only the largest coordinates travel."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from horae.channels.values import values_of
from horae.errors import WireError, require
from horae.types import Bools, Floats, Payload


@dataclass(frozen=True)
class TopK:
    """The k = ⌈share n⌉ largest of an update's n coordinates, and where they are; the server reads zero elsewhere.

    Where: one bit for each of the n, or k positions in the smallest whole numbers that fit, whichever is less for this
    n and k. Bring `feedback` before it, or what is left out is lost.

    Source: Aji and Heafield (EMNLP 2017), Stich et al. (NeurIPS 2018). Reading: k is exact, equal sizes go to the
    lower index; what is not finite counts as largest, so that the server sees and refuses it.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "channels.share", "be in (0, 1]", self.share, "0.1 is usual")

    def kept(self, n: int) -> int:
        """k: the share as it is written, so that 0.07 of 100 are 7."""
        return ceil(Fraction(str(self.share)) * n)

    def encode(self, payload: Payload, rng: np.random.Generator) -> Payload:
        """{"size": (1,), "values": float32 (k,), and "index" (k,) or "bits" (⌈n/8⌉,)}."""
        alone = not isinstance(payload, dict)
        require(
            alone, "channels", "hand an array to top_k", type(payload).__name__, "put top_k before what codes values"
        )
        values, _ = values_of(payload, "top_k")
        chosen, width = largest(values, self.kept(values.size)), _width(values.size)
        size, picked = np.array([values.size], width), values[chosen]
        if self.kept(values.size) * width.itemsize < -(-values.size // 8):
            return {"size": size, "values": picked, "index": np.flatnonzero(chosen).astype(width)}
        return {"size": size, "values": picked, "bits": np.packbits(chosen)}

    def decode(self, payload: Payload) -> Payload:
        """`(n,)` float32. Errors: WireError."""
        n, values = int(payload["size"][0]), payload["values"]
        if self.kept(n) != values.size:
            raise WireError(f"corrupt payload: {values.size} of {n} values, where share is {self.share}")
        where = payload["index"] if "index" in payload else _positions(payload["bits"], n)
        if where.size != values.size or (where.size and int(where.max()) >= n):
            raise WireError(f"corrupt payload: {where.size} positions for {values.size} of {n} values")
        full: Floats = np.zeros(n, np.float32)
        full[where] = values
        return full


def largest(values: Floats, k: int) -> Bools:
    """Where the k largest sizes are, `(n,)`; of equal ones the first."""
    sizes = np.abs(values)
    sizes[np.isnan(sizes)] = np.inf
    if k >= values.size:
        return np.ones(values.size, bool)
    least = np.partition(sizes, values.size - k)[values.size - k]
    chosen: Bools = sizes > least
    chosen[np.flatnonzero(sizes == least)[: k - int(chosen.sum())]] = True
    return chosen


def _width(n: int) -> np.dtype[Any]:
    return np.dtype(next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if n <= np.iinfo(kind).max))


def _positions(bits: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    if bits.size != -(-n // 8):
        raise WireError(f"corrupt payload: {bits.size} bytes of positions for {n} values")
    return np.flatnonzero(np.unpackbits(bits, count=n))
