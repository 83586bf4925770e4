"""Images turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import require
from horae.population.pool import Pool
from horae.population.shifting.common import FIELD, MOST_GROUPS, check_images, check_times, sides, warp
from horae.types import Ints


@dataclass(frozen=True)
class Rotation:
    """Groups that see their images turned counter-clockwise, by one angle each.

    degrees: quarter turns are exact, others are interpolated linearly in the same frame. from_s, over_s: when it sets
    in; 0 and 0: from the start; over_s 0: at once; else samples cross over one by one until from_s + over_s.
    """

    degrees: tuple[float, ...] = (0, 90, 180, 270)
    from_s: float = 0.0
    over_s: float = 0.0

    def __post_init__(self) -> None:
        require(
            1 <= len(self.degrees) <= MOST_GROUPS, f"{FIELD}.degrees", f"name 1 to {MOST_GROUPS}", len(self.degrees)
        )
        require(bool(np.isfinite(self.degrees).all()), f"{FIELD}.degrees", "be finite", self.degrees)
        check_times(self.from_s, self.over_s)

    @property
    def groups(self) -> int:
        """One for each angle."""
        return len(self.degrees)

    def check(self, pool: Pool) -> None:
        """Refuse what is no image. Errors: ConfigError."""
        check_images(pool, "rotation")
        start, end = sides(pool.x.shape[1:])
        h, w = pool.x.shape[1:][start:end]
        odd = [angle for angle in self.degrees if angle % 180 == 90]
        require(
            h == w or not odd, f"{FIELD}.degrees", f"turn images of {h}x{w} by 0 or 180", odd, "or make them square"
        )

    def inputs(self, x: NDArray[Any], group: int, seed: int) -> NDArray[Any]:
        """Images `(n, ...)` turned by the group's angle."""
        quarter, rest = divmod(self.degrees[group] % 360, 90)
        axis = sides(x.shape[1:])[0] + 1
        if rest == 0:
            return x if quarter == 0 else np.rot90(x, int(quarter), axes=(axis, axis + 1))
        turn = np.deg2rad(self.degrees[group])
        back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        return warp(x, back, np.zeros(2))

    def labels(self, y: Ints, group: int, classes: int, seed: int, client: int) -> Ints:
        """As they are."""
        return y
