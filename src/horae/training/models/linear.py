"""Logistic regression and perceptrons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from horae.training.models.limits import afford, widths


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression: logits = W x + b."""

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """One linear layer over the flattened sample."""
        afford("the samples", (math.prod(shape) + 1) * classes)
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))


@dataclass(frozen=True)
class Mlp:
    """A multi-layer perceptron with ReLU.

    hidden: the widths of its hidden layers, from the input on. [200, 200] is the 2NN of McMahan et al. (AISTATS 2017),
    section 3: 199,210 parameters for 28x28 images of 10 classes.
    """

    hidden: tuple[int, ...] = (64,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", widths("hidden", self.hidden))

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Linear layers over the flattened sample, a ReLU after each but the last."""
        sizes = (math.prod(shape), *self.hidden)
        afford("model.hidden", sum((a + 1) * b for a, b in pairwise((*sizes, classes))))
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], classes))
