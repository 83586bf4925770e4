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
