"""Which weights live: masks by content, and who holds which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from horae.pure.codec import version_of

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Submodel:
    """The only bridge between the dense model and the weights that are trained and sent.

    keep: `(params,)` bool, True where a weight lives. Dropped weights are exactly zero on the client and in its update.
    """

    keep: Bools

    @cached_property
    def version(self) -> bytes:
        """The mask's name, 16 bytes that follow from what it says."""
        return version_of(self.keep)

    @cached_property
    def kept(self) -> int:
        """Weights that live."""
        return int(np.count_nonzero(self.keep))

    def gather(self, full: Floats) -> Floats:
        """The living weights of `full (..., params)`, in index order: `(..., kept)`."""
        small: Floats = full[..., self.keep]
        return small

    def scatter(self, small: Floats) -> Floats:
        """`small (..., kept)` back in full index space, zero where a weight was dropped."""
        full = np.zeros((*small.shape[:-1], self.keep.size), np.float32)
        full[..., self.keep] = small
        return full


@dataclass(frozen=True)
class Held:
    """Who trains which weights. which `(n,)`: each client's submodel, an index; None: all have the first."""

    submodels: tuple[Submodel, ...]
    which: Ints | None = None

    def of(self, n: int) -> Ints:
        """The submodel of each of n clients, `(n,)`."""
        return np.zeros(n, np.int64) if self.which is None else self.which

    def only(self, rows: Bools | Ints) -> Held:
        """The same for some of the clients."""
        return self if self.which is None else Held(self.submodels, self.which[rows])

    def mass(self, shares: NDArray[np.float64]) -> Floats | None:
        """Σ of the shares `(n,)` of those who hold a weight, `(params,)`; None where all hold the same."""
        if len(self.submodels) == 1:
            return None
        each = np.bincount(self.of(shares.size), shares, len(self.submodels)).astype(np.float32)
        total: Floats = np.sum([share * s.keep for share, s in zip(each, self.submodels, strict=True)], axis=0)
        return total

    def anybody(self, n: int) -> Bools:
        """The weights that at least one of n clients holds, `(params,)`."""
        used = np.unique(self.of(n)).tolist()
        held: Bools = np.any([self.submodels[i].keep for i in used], axis=0)
        return held

    def everybody(self) -> Bools:
        """The weights that all submodels have, `(params,)`: what updates may be compared on."""
        held: Bools = np.all([s.keep for s in self.submodels], axis=0)
        return held
