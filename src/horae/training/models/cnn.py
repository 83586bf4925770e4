"""A small convolutional network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from horae.errors import brief, require
from horae.training.models.limits import afford, images, whole, widths


@dataclass(frozen=True)
class Cnn:
    """A small convolutional network for images `(h, w)` or `(c, h, w)`.

    Each stage is a 3x3 convolution, GroupNorm, 2x2 max-pool and ReLU; one linear layer ends it.

    channels: the width of each stage, which also halves the image. groups: of each GroupNorm; it divides every width.

    GroupNorm and not BatchNorm: its statistics do not mix samples, so that clients that differ share nothing but
    weights (Hsieh et al., ICML 2020).
    """

    channels: tuple[int, ...] = (16, 32)
    groups: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", widths("channels", self.channels))
        require(bool(self.channels), "model.channels", "name at least one stage", self.channels)
        require(whole(self.groups), "model.groups", "be a whole number >= 1", self.groups)
        fits = all(width % self.groups == 0 for width in self.channels)
        require(fits, "model.groups", f"divide each of model.channels {brief(self.channels)}", self.groups)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The stages, then one linear layer. Images must be at least 2**stages pixels high and wide."""
        planes, lift = images(shape, "a cnn")
        height, width = shape[-2:]
        shrink = 2 ** len(self.channels)
        small = f"have at most {int(math.log2(min(height, width)))} stages for {height}x{width} images"
        require(min(height, width) >= shrink, "model.channels", small, self.channels)
        pixels = (height // shrink) * (width // shrink)
        kernels = sum((9 * a + 3) * b for a, b in pairwise((planes, *self.channels)))
        afford("model.channels", kernels + (self.channels[-1] * pixels + 1) * classes)
        stages = [layer for a, b in pairwise((planes, *self.channels)) for layer in self._stage(a, b)]
        return nn.Sequential(*lift, *stages, nn.Flatten(), nn.Linear(self.channels[-1] * pixels, classes))

    def _stage(self, planes: int, width: int) -> tuple[nn.Module, ...]:
        # Pool before ReLU: the two commute, and the ReLU then costs a quarter.
        return (
            nn.Conv2d(planes, width, 3, padding=1),
            nn.GroupNorm(self.groups, width),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
