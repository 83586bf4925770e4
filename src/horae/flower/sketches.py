"""Updates of which only a sketch is kept: what a server needs to see who belongs together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from horae.errors import RunError, WireError
from horae.types import Bools, Doubles, Floats, Updates


@dataclass(frozen=True)
class Sketched(Updates):
    """Sketches `(clients, dims)` of updates of `params` parameters, and the updates' own lengths `(clients,)`.

    Inner products are those of the sketches: right on average, to about 1 / sqrt(dims).
    """

    lengths: Doubles
    params: int

    def norms(self) -> Doubles:
        """The L2 norm that each update had."""
        return self.lengths

    def only(self, rows: Bools) -> Updates:
        """The sketches of some participants."""
        return Sketched(self.rows[rows], self.lengths[rows], self.params)

    def sketch(self, dims: int) -> Floats:
        """As they are. Errors: RunError if they were made with another width."""
        if self.rows.shape[1] != min(dims, self.params):
            raise RunError(f"updates are sketches of {self.rows.shape[1]} numbers here, a clustering asked for {dims}")
        return self.rows

    def along(self, ways: Floats) -> Floats:
        """Inner products with the sketches of some directions."""
        inner: Floats = self.rows @ Updates(ways).sketch(self.rows.shape[1]).T
        return inner

    def combine(self, weights: Doubles) -> Floats:
        """Not here: the strategy has combined them."""
        raise RunError("this clustering wants whole updates, of which a server for Flower strategies keeps none; "
                       "use auxo")  # fmt: skip

    def columns(self, part: slice) -> Floats:
        """Not here."""
        return self.combine(self.lengths)


def trained(arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The keys of the floating-point arrays, sorted; the others are counters and such."""
    return tuple(sorted(key for key, array in arrays.items() if array.dtype.kind == "f"))


def flattened(arrays: Mapping[str, np.ndarray], keys: tuple[str, ...]) -> Floats:
    """These arrays as one float32 vector."""
    kept = [arrays[key].astype(np.float32, copy=False).ravel() for key in keys]
    return np.concatenate(kept) if kept else np.zeros(0, np.float32)


@dataclass(frozen=True)
class Base:
    """A model as it was sent: what replies are held against. keys: of its trained arrays; shapes: of all, by key."""

    keys: tuple[str, ...]
    flat: Floats
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], keys: tuple[str, ...]) -> Base:
        """Of the arrays of a message."""
        return cls(keys, flattened(arrays, keys), {key: array.shape for key, array in arrays.items()})

    def sketch_of(self, reply: Mapping[str, np.ndarray], dims: int) -> tuple[Floats, float]:
        """A reply's update as a sketch `(dims,)`, and its length. Errors: WireError if it is not of this model."""
        shapes = {key: array.shape for key, array in reply.items()}
        if shapes != self.shapes:
            odd = next(key for key in (*self.shapes, *shapes) if shapes.get(key) != self.shapes.get(key))
            raise WireError(f"array {odd!r} has shape {shapes.get(odd)} where {self.shapes.get(odd)} was sent")
        update = Updates((flattened(reply, self.keys) - self.flat)[None])
        length = float(update.norms()[0])
        if not np.isfinite(length):
            raise WireError("its update is not finite")
        return update.sketch(dims)[0].copy(), length
