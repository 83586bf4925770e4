"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from horae.training.models.limits import afford, images, one_of
from horae.training.models.norms import NormName, check_maps, check_norm, norm_layer

Stem = Literal["imagenet", "cifar"]
WIDTHS = (64, 128, 256, 512)  # of the four stages; all but the first halve the image


@dataclass(frozen=True)
class Resnet18:
    """ResNet-18: a stem, four stages of two residual blocks, the mean over pixels, one linear layer.

    stem: "imagenet" is a 7x7 convolution and a max-pool, which quarter the image; "cifar" a 3x3 convolution that keeps
    it, for images of 32 pixels and fewer. norm: "group" or "batch". groups: of each GroupNorm.

    Source: He et al. (CVPR 2016), table 1; the cifar stem: section 4.2. Reading: shortcuts of type B (a 1x1
    convolution where the shape changes).
    """

    stem: Stem = "imagenet"
    norm: NormName = "group"
    groups: int = 32

    def __post_init__(self) -> None:
        _check(self)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """11,689,512 parameters for 1000 classes of three-channel images."""
        return _residual(self, (2, 2, 2, 2), shape, classes)


@dataclass(frozen=True)
class Resnet34:
    """ResNet-34: the same with 3, 4, 6 and 3 blocks. Fields as of resnet18.

    Source: He et al. (CVPR 2016), table 1.
    """

    stem: Stem = "imagenet"
    norm: NormName = "group"
    groups: int = 32

    def __post_init__(self) -> None:
        _check(self)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """21,797,672 parameters for 1000 classes of three-channel images."""
        return _residual(self, (3, 4, 6, 3), shape, classes)


class Block(nn.Module):
    """Two 3x3 convolutions and the shortcut around them: ReLU(F(x) + x)."""

    def __init__(self, before: int, width: int, stride: int, norm: NormName, groups: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(before, width, 3, stride, 1, bias=False), norm_layer(norm, groups, width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, 1, 1, bias=False), norm_layer(norm, groups, width)),
        )
        shape_stays = stride == 1 and before == width
        project = (nn.Conv2d(before, width, 1, stride, bias=False), norm_layer(norm, groups, width))
        self.shortcut = nn.Identity() if shape_stays else nn.Sequential(*project)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`(n, before, h, w)` to `(n, width, h / stride, w / stride)`."""
        answer: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return answer


def kaiming(module: nn.Module) -> nn.Module:
    """The module with convolutions drawn as He et al. (ICCV 2015) advise for ReLU, by their outputs."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return module


def _check(model: Resnet18 | Resnet34) -> None:
    one_of("stem", model.stem, Stem)
    check_norm(model.norm, model.groups, WIDTHS[0])


def _residual(model: Resnet18 | Resnet34, depths: Sequence[int], shape: tuple[int, ...], classes: int) -> nn.Module:
    planes, lift = images(shape, "a resnet")
    afford("the samples", 49 * planes * WIDTHS[0] + (WIDTHS[-1] + 1) * classes)
    wide = model.stem == "imagenet"
    first = nn.Conv2d(planes, WIDTHS[0], *((7, 2, 3) if wide else (3, 1, 1)), bias=False)
    stem = [first, norm_layer(model.norm, model.groups, WIDTHS[0]), nn.ReLU()]
    stages, before = [*stem, *([nn.MaxPool2d(3, 2, 1)] if wide else [])], WIDTHS[0]
    for width, depth in zip(WIDTHS, depths, strict=True):
        for i in range(depth):
            stride = 2 if i == 0 and width > WIDTHS[0] else 1
            stages.append(Block(before, width, stride, model.norm, model.groups))
            before = width
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))
    return check_maps(kaiming(nn.Sequential(*lift, *stages, *head)), shape)
