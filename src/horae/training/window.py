"""The part of a flat vector that a smaller model has: of each tensor some rows, and of those some columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.pure.anatomy import Tensor
from horae.types import Bools, Floats, Ints


@dataclass(frozen=True)
class Pane:
    """One tensor, as rows of its first dimension: here in the whole vector, there in the small one.

    shape: of the whole tensor as a matrix. rows, columns: those that live; columns is None where all do.
    """

    here: slice
    there: slice
    shape: tuple[int, int]
    rows: Ints
    columns: Ints | None

    def of(self, vector: NDArray[Any]) -> NDArray[Any]:
        """Its living numbers in the whole vector, in order; a copy."""
        matrix = vector[self.here].reshape(self.shape)
        return matrix[self.rows] if self.columns is None else matrix[np.ix_(self.rows, self.columns)]

    def put(self, small: Floats, vector: Floats) -> None:
        """Their values from the small vector."""
        matrix = vector[self.here].reshape(self.shape)
        if self.columns is None:
            matrix[self.rows] = small[self.there].reshape(len(self.rows), -1)
        else:
            matrix[np.ix_(self.rows, self.columns)] = small[self.there].reshape(len(self.rows), -1)


@dataclass(frozen=True)
class Window:
    """Where a smaller model's flat vector lies in the whole one's."""

    panes: tuple[Pane, ...]

    @classmethod
    def of(cls, tensors: tuple[Tensor, ...], alive: Bools) -> Window:
        """Of what units leave of some tensors, `alive (params,)`: whole slices of each."""
        panes, at = [], 0
        for tensor in tensors:
            shape = (
                (tensor.shape[0], tensor.size // tensor.shape[0]) if tensor.shape and tensor.size else (tensor.size, 1)
            )
            living = alive[tensor.part].reshape(shape)
            rows, columns = np.flatnonzero(living.any(axis=1)), np.flatnonzero(living.any(axis=0))
            size = rows.size * columns.size
            assert size == np.count_nonzero(living)  # units are slices
            end = at + size
            panes.append(Pane(tensor.part, slice(at, end), shape, rows, None if columns.size == shape[1] else columns))
            at = end
        return cls(tuple(panes))

    def gathered(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """The small ones of whole vectors `(params,)` or `(n, params)`."""
        if vectors.ndim == 1:
            return np.concatenate([vectors[:0], *(pane.of(vectors).reshape(-1) for pane in self.panes)])
        small = [self.gathered(vector) for vector in vectors]
        return np.stack(small) if small else vectors[:, : self.panes[-1].there.stop if self.panes else 0]

    def scatter(self, small: Floats, vectors: Floats) -> None:
        """Fill vectors `(n, params)` with small ones, and with zeros around them."""
        for own, vector in zip(small, vectors, strict=True):
            vector[:] = 0.0
            for pane in self.panes:
                pane.put(own, vector)
