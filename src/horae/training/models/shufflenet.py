"""ShuffleNetV2."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from horae.errors import require
from horae.training.models.limits import afford, images
from horae.training.models.norms import NormName, check_maps, check_norm, norm_layer
from horae.training.models.resnet import kaiming

FIRST, DEPTHS = 24, (4, 8, 4)
WIDTHS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}  # table 5: three stages and the last convolution


@dataclass(frozen=True)
class ShuffleNetV2:
    """ShuffleNetV2: each unit convolves half of the channels, then shuffles both halves.

    width: 0.5, 1.0, 1.5 or 2.0. norm: "group" or "batch". groups: of each GroupNorm; 1 or 2, since halves are as narrow
    as 58 channels.

    Source: Ma et al. (ECCV 2018), figure 3 and table 5.
    """

    width: float = 1.0
    norm: NormName = "group"
    groups: int = 2

    def __post_init__(self) -> None:
        require(self.width in WIDTHS, "model.width", f"be one of {', '.join(map(str, WIDTHS))}", self.width)
        check_norm(self.norm, self.groups, 2)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """2,278,604 parameters for 1000 classes of three-channel images. The image is halved five times."""
        planes, lift = images(shape, "shufflenetv2")
        *stages, last = WIDTHS[self.width]
        afford("the samples", 9 * planes * FIRST + (last + 1) * classes)
        layers, before = [*lift, *self._layers(planes, FIRST, 3, 2), nn.MaxPool2d(3, 2, 1)], FIRST
        for width, depth in zip(stages, DEPTHS, strict=True):
            layers += [Halving(self, before, width), *(Unit(self, width) for _ in range(depth - 1))]
            before = width
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))
        return check_maps(kaiming(nn.Sequential(*layers, *self._layers(before, last, 1, 1), *head)), shape)

    def _layers(self, before: int, width: int, kernel: int, stride: int) -> list[nn.Module]:
        """A convolution, its norm and ReLU."""
        return [*self._linear(before, width, kernel, stride), nn.ReLU()]

    def _linear(self, before: int, width: int, kernel: int, stride: int, apart: int = 1) -> list[nn.Module]:
        """A convolution in `apart` groups of channels and its norm."""
        convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, groups=apart, bias=False)
        return [convolution, norm_layer(self.norm, self.groups, width)]

    def _branch(self, before: int, width: int, stride: int) -> nn.Sequential:
        """1x1, depthwise 3x3, 1x1."""
        depthwise = self._linear(width, width, 3, stride, apart=width)
        return nn.Sequential(*self._layers(before, width, 1, 1), *depthwise, *self._layers(width, width, 1, 1))


class Unit(nn.Module):
    """Figure 3(c): one half of the channels as it is, the other through a branch."""

    def __init__(self, model: ShuffleNetV2, width: int) -> None:
        super().__init__()
        self.branch = model._branch(width // 2, width // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, width, h, w)` to the same shape."""
        keep, change = x.chunk(2, dim=1)
        return shuffled(keep, self.branch(change))


class Halving(nn.Module):
    """Figure 3(d): all channels through both branches, each of which halves the image."""

    def __init__(self, model: ShuffleNetV2, before: int, width: int) -> None:
        super().__init__()
        depthwise = model._linear(before, before, 3, 2, apart=before)
        self.short = nn.Sequential(*depthwise, *model._layers(before, width // 2, 1, 1))
        self.branch = model._branch(before, width // 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, before, h, w)` to `(n, width, h / 2, w / 2)`."""
        return shuffled(self.short(x), self.branch(x))


def shuffled(one: Tensor, other: Tensor) -> Tensor:
    """Channels of two halves in turn: a1 b1 a2 b2 ..."""
    return torch.stack((one, other), dim=2).flatten(1, 2)
