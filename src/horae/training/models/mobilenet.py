"""MobileNetV2."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from horae.errors import require
from horae.training.models.limits import afford, images
from horae.training.models.norms import NormName, check_maps, check_norm, norm_layer
from horae.training.models.resnet import kaiming

# table 2: expansion t, width c, blocks n, stride s of the first of them
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
FIRST, LAST, STEP = 32, 1280, 8  # widths are multiples of STEP


@dataclass(frozen=True)
class MobileNetV2:
    """MobileNetV2: inverted residual blocks of a 1x1, a depthwise 3x3 and a 1x1 convolution with ReLU6.

    width: times the published widths. norm: "group" or "batch". groups: of each GroupNorm.

    Source: Sandler et al. (CVPR 2018), table 2. Reading: widths are rounded to multiples of 8, never more than a tenth
    down, and the last is never below 1280; no dropout before the last layer.
    """

    width: float = 1.0
    norm: NormName = "group"
    groups: int = 8

    def __post_init__(self) -> None:
        require(0.1 <= self.width <= 4, "model.width", "be in [0.1, 4]", self.width, "1.0 is the published one")
        check_norm(self.norm, self.groups, STEP)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """3,504,872 parameters for 1000 classes of three-channel images. The image is halved five times."""
        planes, lift = images(shape, "mobilenetv2")
        last = rounded(LAST * max(1.0, self.width))
        before = rounded(FIRST * self.width)
        afford("the samples", 9 * planes * before + (last + 1) * classes)
        layers = [*lift, *self._layers(planes, before, 3, 2)]
        for expansion, width, depth, stride in STAGES:
            wide = rounded(width * self.width)
            for i in range(depth):
                layers.append(Inverted(self, before, wide, expansion, stride if i == 0 else 1))
                before = wide
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))
        return check_maps(kaiming(nn.Sequential(*layers, *self._layers(before, last, 1, 1), *head)), shape)

    def _layers(self, before: int, width: int, kernel: int, stride: int, apart: int = 1) -> list[nn.Module]:
        """A convolution in `apart` groups of channels, its norm and ReLU6."""
        convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, groups=apart, bias=False)
        return [convolution, norm_layer(self.norm, self.groups, width), nn.ReLU6()]


class Inverted(nn.Module):
    """Widen by `expansion`, convolve each channel by itself, narrow again; around it a shortcut where shapes agree."""

    def __init__(self, model: MobileNetV2, before: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = expansion * before
        widen = model._layers(before, hidden, 1, 1) if expansion > 1 else []
        narrow = model._layers(hidden, width, 1, 1)[:-1]  # linear: no ReLU6
        self.body = nn.Sequential(*widen, *model._layers(hidden, hidden, 3, stride, apart=hidden), *narrow)
        self.around = stride == 1 and before == width

    def forward(self, x: Tensor) -> Tensor:
        """`(n, before, h, w)` to `(n, width, h / stride, w / stride)`."""
        answer: Tensor = self.body(x)
        return x + answer if self.around else answer


def rounded(width: float) -> int:
    """The nearest multiple of 8, at least 8 and at least nine tenths of the width.

    >>> rounded(24 * 0.5), rounded(32 * 0.35)
    (16, 16)
    """
    near = max(STEP, int(width + STEP / 2) // STEP * STEP)
    return near + STEP if near < 0.9 * width else near
