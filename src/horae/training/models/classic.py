"""The small convolutional networks of the first papers on federated learning."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from horae.training.models.limits import afford, counts, images


@dataclass(frozen=True)
class LeafCnn:
    """LEAF's network for FEMNIST: two 5x5 convolutions (32, 64), each with a 2x2 max-pool and ReLU, one hidden layer.

    dense: the width of the hidden layer. 6,603,710 parameters for 28x28 images of 62 classes.

    Source: Caldas et al., "LEAF" (2018), models/femnist/cnn.py. Reading: "same" padding, as there.
    """

    dense: int = 2048

    def __post_init__(self) -> None:
        counts(self, "dense")

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """For images at least 4 pixels high and wide."""
        return _two_convolutions("leaf-cnn", self.dense, shape, classes)


@dataclass(frozen=True)
class TwoCnn:
    """McMahan's network for MNIST: leaf-cnn with a hidden layer of 512.

    dense: the width of the hidden layer. 1,663,370 parameters for 28x28 images of 10 classes.

    Source: McMahan et al. (AISTATS 2017), section 3. Reading: "same" padding, which the published count needs.
    """

    dense: int = 512

    def __post_init__(self) -> None:
        counts(self, "dense")

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """For images at least 4 pixels high and wide."""
        return _two_convolutions("two-cnn", self.dense, shape, classes)


@dataclass(frozen=True)
class AutoFlipCnn:
    """AutoFLIP's network: two 5x5 convolutions, each with a 2x2 max-pool and ReLU, a mean to 7x7, one hidden layer.

    width: channels of the first convolution; the second has twice as many. dense: the width of the hidden layer.
    1,664,970 parameters for 3x24x24 images of 10 classes.

    Source: TwoCNN of AutoFLIP's published code. Reading: padding 1 of convolutions and max-pools, as there.
    """

    width: int = 32
    dense: int = 512

    def __post_init__(self) -> None:
        counts(self, "width", "dense")

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """For images at least 6 pixels high and wide."""
        planes, lift = images(shape, "autoflip-cnn", least=6)
        one, two, flat = self.width, 2 * self.width, 98 * self.width
        afford("model.width", 25 * planes * one + 25 * one * two + (flat + 1) * self.dense + (self.dense + 1) * classes)
        return nn.Sequential(
            *lift,
            *(nn.Conv2d(planes, one, 5, padding=1), nn.MaxPool2d(2, padding=1), nn.ReLU()),
            *(nn.Conv2d(one, two, 5, padding=1), nn.MaxPool2d(2, padding=1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(flat, self.dense), nn.ReLU()),
            nn.Linear(self.dense, classes),
        )


def _two_convolutions(name: str, dense: int, shape: tuple[int, ...], classes: int) -> nn.Module:
    planes, lift = images(shape, name, least=4)
    flat = 64 * (shape[-2] // 4) * (shape[-1] // 4)
    afford("model.dense", 800 * planes + (flat + 1) * dense + (dense + 1) * classes)
    return nn.Sequential(
        *lift,
        *(nn.Conv2d(planes, 32, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),  # ReLU costs a quarter after the pool
        *(nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(flat, dense), nn.ReLU()),
        nn.Linear(dense, classes),
    )
