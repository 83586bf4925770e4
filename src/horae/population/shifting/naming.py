"""Labels renamed by groups, or wrong by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import require
from horae.population.pool import Pool
from horae.population.shifting.common import FIELD, check_groups, check_labels, check_times
from horae.pure.streams import stream
from horae.types import Ints


@dataclass(frozen=True)
class LabelPermutation:
    """Groups that call the same things by other labels: group 0 by the true ones, each other by its own permutation.

    A permutation is drawn by seed and is never the identity. from_s, over_s: as for `rotation`.
    """

    groups: int = 4
    from_s: float = 0.0
    over_s: float = 0.0

    def __post_init__(self) -> None:
        check_groups(self.groups, 1.0)
        check_times(self.from_s, self.over_s)

    def check(self, pool: Pool) -> None:
        """Refuse what has no labels. Errors: ConfigError."""
        check_labels(pool, "label-permutation")

    def inputs(self, x: NDArray[Any], group: int, seed: int) -> NDArray[Any]:
        """As they are."""
        return x

    def labels(self, y: Ints, group: int, classes: int, seed: int, client: int) -> Ints:
        """Labels `(n,)` by the group's names."""
        if group == 0:
            return y
        names = stream(seed, "shift labels", group).permutation(classes)
        if (names == np.arange(classes)).all():
            names = np.roll(names, 1)
        return names[y].astype(np.int64)


@dataclass(frozen=True)
class LabelNoise:
    """Training labels that are wrong: each with probability `share` another label, by lot, for every client anew.

    Test labels stay true, unless `tests`. It plants no groups. from_s, over_s: as for `rotation`.
    """

    share: float = 0.2
    tests: bool = False
    from_s: float = 0.0
    over_s: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.share <= 1, f"{FIELD}.share", "be in [0, 1]", self.share)
        check_times(self.from_s, self.over_s)

    @property
    def groups(self) -> int:
        """One: everybody."""
        return 1

    def check(self, pool: Pool) -> None:
        """Refuse what has no labels. Errors: ConfigError."""
        check_labels(pool, "label-noise")

    def inputs(self, x: NDArray[Any], group: int, seed: int) -> NDArray[Any]:
        """As they are."""
        return x

    def labels(self, y: Ints, group: int, classes: int, seed: int, client: int) -> Ints:
        """Labels `(n,)`, some of them wrong."""
        if self.share == 0:
            return y
        rng = stream(seed, "shift noise", client)
        wrong = rng.random(y.size) < self.share
        return np.where(wrong, (y + rng.integers(1, classes, y.size)) % classes, y).astype(np.int64)
