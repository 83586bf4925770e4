"""The networks an experiment can name. A new one is a frozen dataclass in a file here and one line in MODELS.

From Python, anything with `build(shape, classes) -> nn.Module` will do.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from horae.training.models.cnn import Cnn
from horae.training.models.linear import Logistic, Mlp

__all__ = ["MODELS", "Cnn", "Logistic", "Mlp", "Model"]


class Model(Protocol):
    """A network's hyper-parameters."""

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A fresh module that maps samples `(n, *shape)` to logits `(n, classes)`.

        Samples of tokens are int64 `(n, length)`, numbered from 0; a module that answers every position of them gives
        `(n, length, classes)`. Of a regression there is one class, and the answer is `(n, 1)`.
        """


MODELS = {"logistic": Logistic, "mlp": Mlp, "cnn": Cnn}
