"""Images turned, sheared, stretched and moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.population.pool import Pool
from horae.population.shifting.common import check_groups, check_images, check_times, magnitudes, sides, warp
from horae.pure.streams import stream
from horae.types import Ints

TURN, SHEAR, STRETCH, MOVE = 45.0, 0.4, 0.3, 0.15  # degrees, slope, log, share of the side: the most at strength 1


@dataclass(frozen=True)
class Affine:
    """Groups that see their images through an affine map of their own, drawn by seed; group 0 sees them as they are.

        p → A p + b,      A = turn · shear · stretch

    strength: 1 turns by up to 45 degrees, shears by up to 0.4, stretches each side by up to e^0.3, moves by up to 0.15
    of a side; every part has half its most at least. from_s, over_s: as for `rotation`.
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
        check_images(pool, "affine")

    def inputs(self, x: NDArray[Any], group: int, seed: int) -> NDArray[Any]:
        """Images `(n, ...)` through the group's map."""
        if group == 0:
            return x
        turn, shear, *rest = self.strength * magnitudes(stream(seed, "shift affine", group), 6)
        angle = np.deg2rad(TURN * turn)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        map_ = turned @ np.array([[1.0, SHEAR * shear], [0.0, 1.0]]) @ np.diag(np.exp(STRETCH * np.array(rest[:2])))
        back = np.linalg.inv(map_)
        start, end = sides(x.shape[1:])
        moved = MOVE * np.array(rest[2:]) * np.array(x.shape[1:][start:end])
        return warp(x, back, -back @ moved)

    def labels(self, y: Ints, group: int, classes: int, seed: int, client: int) -> Ints:
        """As they are."""
        return y
