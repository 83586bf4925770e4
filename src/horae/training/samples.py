"""The samples as torch sees them: in the population's own memory, made numbers when a batch is taken."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from horae.errors import require


@dataclass(frozen=True)
class Samples:
    """x `(images, *shape)`: float32; whole numbers to be multiplied by `scale`; or tokens, where scale is None.

    y `(images, ...)`: int64, or float32 for a regression.
    """

    x: Tensor
    y: Tensor
    scale: float | None = None

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, scale: float | None = None) -> Samples:
        """From arrays, whose memory is shared where their type allows."""
        floats = x.dtype.kind == "f"
        require(not floats or scale is None, "scale", "be left out where x are floats", scale)
        numbers = np.int64 if y.dtype.kind in "iu" else np.float32
        return cls(_shared(np.asarray(x, np.float32) if floats else x), _shared(np.asarray(y, numbers)), scale)

    def some(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """x and y of some rows."""
        return self._numbers(self.x[rows]), self.y[rows]

    @property
    def flat(self) -> Tensor:
        """All of x as float32 `(images, numbers)`, for paths that read a sample in place."""
        return self._numbers(self.x.flatten(1))

    @property
    def tokens(self) -> bool:
        """True where x are tokens and not numbers."""
        return not self.x.is_floating_point() and self.scale is None

    @property
    def example(self) -> Tensor:
        """A sample of zeros, as a model gets it: `(1, *shape)`."""
        return torch.zeros(1, *self.x.shape[1:], dtype=torch.int64 if self.tokens else torch.float32)

    @property
    def truth(self) -> Tensor:
        """What is asked of a sample, zeros: `(1, ...)`."""
        return torch.zeros(1, *self.y.shape[1:], dtype=self.y.dtype)

    def _numbers(self, x: Tensor) -> Tensor:
        if self.scale is not None:
            return x.to(torch.float32).mul_(self.scale)
        return x if x.is_floating_point() else x.long()


def _shared(array: np.ndarray) -> Tensor:
    """The array's own memory: nobody writes into it, though torch warns that one might."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(np.ascontiguousarray(array))
