"""Contrast, brightness, and channels mixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.population.pool import Pool
from horae.population.shifting.common import as_type, channels, check_groups, check_images, check_times, magnitudes
from horae.pure.streams import stream
from horae.types import Ints

CONTRAST, BRIGHTNESS, MIX = 0.7, 0.3, 0.6  # log, share of the range, share of other channels: the most at strength 1


@dataclass(frozen=True)
class Colour:
    """Groups with a camera of their own, drawn by seed; group 0 sees images as they are.

        v → k M (v - m) + m + b

    k is the contrast, b the brightness, m the middle of the range: of bytes 127.5, of floats 0.5 of [0, 1]. Each
    row of M mixes two channels, where there are any. Signed whole numbers, as sensors give, have m = b = 0. strength: 1
    is contrast up to e^±0.7, brightness up to 0.3 of the range, a mix of up to 0.6; every part has half its most at
    least. from_s, over_s: as for `rotation`.
    """

    groups: int = 4
    strength: float = 0.5
    from_s: float = 0.0
    over_s: float = 0.0

    def __post_init__(self) -> None:
        check_groups(self.groups, self.strength)
        check_times(self.from_s, self.over_s)

    def check(self, pool: Pool) -> None:
        """Refuse what is no image. Errors: ConfigError."""
        check_images(pool, "colour")

    def inputs(self, x: NDArray[Any], group: int, seed: int) -> NDArray[Any]:
        """Images `(n, ...)` as the group's camera takes them."""
        if group == 0:
            return x
        rng = stream(seed, "shift colour", group)
        contrast, brightness, mix = self.strength * magnitudes(rng, 3)
        signed, whole = x.dtype.kind == "i", x.dtype.kind in "iu"
        span = 0.0 if signed else float(np.iinfo(x.dtype).max) if whole else 1.0
        seen = x.astype(np.float32) - np.float32(span / 2)
        axis = channels(x.shape[1:])
        if axis is not None and x.shape[axis + 1] > 1:
            other = np.roll(seen, int(rng.integers(1, x.shape[axis + 1])), axis=axis + 1)
            seen += np.float32(MIX * abs(mix)) * (other - seen)
        seen *= np.float32(np.exp(CONTRAST * contrast))
        return as_type(seen + np.float32(span * (0.5 + BRIGHTNESS * brightness)), x.dtype)

    def labels(self, y: Ints, group: int, classes: int, seed: int, client: int) -> Ints:
        """As they are."""
        return y
