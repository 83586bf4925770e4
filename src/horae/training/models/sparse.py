"""Logistic regression on samples that are lists of features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from horae.training.models.limits import afford, counts, tokens
from horae.training.models.tokens import Table


@dataclass(frozen=True)
class SparseLogistic:
    """Logistic regression on bags of features: logits = Σ_j W[x_j] + b.

    A sample is int64 `(width,)`: the numbers of the features it has, from 1 on, as often as it has them; 0 is padding.
    features: rows of W, more than the largest number. Begins at zero. With one class it is a linear regression.
    """

    features: int = 8192

    def __post_init__(self) -> None:
        counts(self, "features")

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """features x classes weights and classes biases."""
        tokens(shape, "sparse-logistic")
        afford("model.features", (self.features + 1) * classes)
        return Bag(self.features, classes)


class Bag(nn.Module):
    """The sum of the rows that a sample names, and a bias. Row 0 is padding, and stays zero."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.table = Table(features, classes, "model.features", padding_idx=0)
        nn.init.zeros_(self.table.weight)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        """int64 `(n, width)` to `(n, classes)`."""
        there = (x != 0).to(self.bias.dtype)
        return torch.baddbmm(self.bias, there[:, None], self.table(x))[:, 0]  # a product: its FLOPs are counted
