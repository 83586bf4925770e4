"""What a model is asked, how wrong an answer is, and when it counts as right."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from horae.types import UNKNOWN, TaskName

CLOSE = 0.5  # a number is right when it is no further off than half a star


class Task(Protocol):
    """One kind of question. y `(n, ...)`: the truth; out: the model's answers."""

    def mean(self, out: Tensor, y: Tensor) -> Tensor:
        """The mean loss of all predictions: what training lowers."""

    def each(self, out: Tensor, y: Tensor) -> Tensor:
        """The mean loss of each sample's predictions, `(n,)`."""

    def right(self, out: Tensor, y: Tensor) -> Tensor:
        """How many of each sample's predictions are right, `(n,)` int64."""

    def asked(self, y: Tensor) -> Tensor:
        """How many predictions each sample asks for, `(n,)` int64."""


class Classification:
    """One label of each sample: y `(n,)`, out `(n, classes)`; cross-entropy."""

    def mean(self, out: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy, averaged."""
        return cross_entropy(out, y)

    def each(self, out: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each sample."""
        return cross_entropy(out, y, reduction="none")

    def right(self, out: Tensor, y: Tensor) -> Tensor:
        """1 where the likeliest label is the true one."""
        return (out.argmax(1) == y).long()

    def asked(self, y: Tensor) -> Tensor:
        """One."""
        return torch.ones(len(y), dtype=torch.int64)


class NextToken:
    """The token after each position: y `(n, length)`, UNKNOWN where nothing is asked, out `(n, length, classes)`.

    Where only the last position is asked, y is `(n,)` and out `(n, classes)`. Perplexity is exp(mean cross-entropy).
    """

    def mean(self, out: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy, averaged over tokens."""
        if not (y != UNKNOWN).any():
            return (out * 0.0).sum()
        return cross_entropy(out.flatten(0, -2), y.flatten(), ignore_index=UNKNOWN)

    def each(self, out: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of each sample, averaged over its tokens."""
        loss = cross_entropy(out.flatten(0, -2), y.flatten(), ignore_index=UNKNOWN, reduction="none")
        return loss.view(len(y), -1).sum(1) / self.asked(y).clamp_min(1)

    def right(self, out: Tensor, y: Tensor) -> Tensor:
        """Tokens of each sample whose likeliest value is the true one."""
        return (out.argmax(-1) == y).view(len(y), -1).sum(1)

    def asked(self, y: Tensor) -> Tensor:
        """Tokens of each sample."""
        return (y != UNKNOWN).view(len(y), -1).sum(1)


class Regression:
    """A number for each sample: y `(n,)` float32, out `(n, 1)`; squared error, whose mean has RMSE as its root."""

    def mean(self, out: Tensor, y: Tensor) -> Tensor:
        """Squared error, averaged."""
        return self.each(out, y).mean()

    def each(self, out: Tensor, y: Tensor) -> Tensor:
        """Squared error of each sample."""
        return (out.view(len(y)) - y).square()

    def right(self, out: Tensor, y: Tensor) -> Tensor:
        """1 where the answer is at most CLOSE off."""
        return ((out.view(len(y)) - y).abs() <= CLOSE).long()

    def asked(self, y: Tensor) -> Tensor:
        """One."""
        return torch.ones(len(y), dtype=torch.int64)


TASKS: dict[TaskName, Task] = {
    "classification": Classification(),
    "next-token": NextToken(),
    "regression": Regression(),
}
