"""The networks an experiment can name. A new one is a frozen dataclass in a file here and one line in MODELS.

From Python, anything with `build(shape, classes) -> nn.Module` will do.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from horae.training.models.albert import Albert
from horae.training.models.classic import AutoFlipCnn, LeafCnn, TwoCnn
from horae.training.models.cnn import Cnn
from horae.training.models.foreign import Module, Timm, Torchvision
from horae.training.models.linear import Logistic, Mlp
from horae.training.models.mobilenet import MobileNetV2
from horae.training.models.recurrent import CharLstm
from horae.training.models.resnet import Resnet18, Resnet34
from horae.training.models.shufflenet import ShuffleNetV2
from horae.training.models.sparse import SparseLogistic

__all__ = ["MODELS", "Cnn", "Logistic", "Mlp", "Model"]


class Model(Protocol):
    """A network's hyper-parameters."""

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A fresh module that maps samples `(n, *shape)` to logits `(n, classes)`.

        Samples of tokens are int64 `(n, length)`, numbered from 0; a module that answers every position of them gives
        `(n, length, classes)`. Of a regression there is one class, and the answer is `(n, 1)`.
        """


MODELS = {
    "logistic": Logistic,
    "sparse-logistic": SparseLogistic,
    "mlp": Mlp,
    "cnn": Cnn,
    "leaf-cnn": LeafCnn,
    "two-cnn": TwoCnn,
    "autoflip-cnn": AutoFlipCnn,
    "resnet18": Resnet18,
    "resnet34": Resnet34,
    "mobilenetv2": MobileNetV2,
    "shufflenetv2": ShuffleNetV2,
    "char-lstm": CharLstm,
    "albert": Albert,
    "module": Module,
    "torchvision": Torchvision,
    "timm": Timm,
}
