"""Fair tuning: before the reported seeds every arm tries equally many settings on seeds that are not reported."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.compare.arms import Arm
from horae.compare.vary import MOST, TAKEN, Vary, checked_seeds, word
from horae.errors import require
from horae.pure.streams import stream

Settings = dict[str, Any]
_GROUND = ("name", "budget", "population", "devices", "availability", "evaluation", "harm")  # the same for every arm


@dataclass(frozen=True)
class Tuning:
    """grid: what an arm without a grid of its own is tuned over. seeds: on which. budget: trials of an arm; 0: as many
    as the smallest grid has.
    """

    grid: Vary
    seeds: list[int]
    budget: int = 0

    def sizes(self, arms: Sequence[Arm]) -> dict[str, int]:
        """How many settings each arm's grid has."""
        return {arm.name: math.prod(map(len, self.grid_of(arm).values())) for arm in arms}

    def grid_of(self, arm: Arm) -> Vary:
        """The arm's own grid if it has one."""
        return arm.tune or self.grid

    def trials(self, arms: Sequence[Arm]) -> dict[str, list[Settings]]:
        """The settings that each arm tries: as many for every arm, a seeded choice where a grid has more."""
        least = min(self.sizes(arms).values())
        n = min(self.budget, least) if self.budget else least
        return {arm.name: _cut(self.grid_of(arm), n, self.seeds[0]) for arm in arms}


def make(
    grid: Vary, seeds: Sequence[int], budget: int | None, arms: Sequence[Arm], reported: Sequence[int]
) -> Tuning | None:
    """The tuning that was asked for, or None. Errors: ConfigError for one that is not fair, or cannot be done."""
    if not grid and not any(arm.tune for arm in arms):
        require(not seeds and budget is None, "--tune", "say what is tuned", "nothing", "e.g. --tune training.lr=0.1,1")
        return None
    remedy = "name seeds that are not reported, e.g. --tune-seeds 100,101"
    require(bool(seeds), "--tune-seeds", "be one seed at least", list(seeds), remedy)
    found = checked_seeds(seeds, "--tune-seeds")
    both = [seed for seed in found if seed in reported]
    require(not both, "--tune-seeds", "be other seeds than the reported ones", both, remedy)
    require(budget is None or budget >= 2, "--tune-budget", "be >= 2", budget)
    tuning = Tuning(grid, found, budget or 0)
    for arm in arms:
        mine, field = tuning.grid_of(arm), f"arm {arm.name}: tune"
        require(bool(mine), field, "have a grid, as other arms have", {}, "add it to the arm, or say --tune")
        for key in mine:
            require(key not in TAKEN, field, "name another field", key, TAKEN.get(key, ""))
            require(key.split(".")[0] not in _GROUND, field, "name fields of a method, not its ground", key)
            require(key not in arm.changes, field, "name fields that the arm does not set", key, "leave one of the two")
    for name, size in tuning.sizes(arms).items():
        require(2 <= size <= MOST, f"arm {name}: tune", f"make 2 to {MOST:,} settings", size)
    return tuning


def best(trials: Sequence[Mapping[str, Any]]) -> int | None:
    """The trial with the highest mean accuracy, the first of several; None if no trial has one on every seed."""
    told = [i for i, trial in enumerate(trials) if trial["accuracy"] is not None]
    return max(told, key=lambda i: (trials[i]["accuracy"], -i), default=None)


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings for people.

    >>> in_words({"training.lr": 0.1, "clustering.name": "auxo"})
    'training.lr = 0.1, clustering.name = auxo'
    """
    return ", ".join(f"{key} = {word(value)}" for key, value in settings.items())


def _cut(grid: Vary, n: int, seed: int) -> list[Settings]:
    """n settings of a grid, in its order."""
    every = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    kept = np.sort(stream(seed, "tune").permutation(len(every))[:n])
    return [every[i] for i in kept.tolist()]
