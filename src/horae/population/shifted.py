"""Digits on which groups of clients disagree by design: turned images, or renamed labels.

The images are split into train and test once, before the groups get their copies: an image that anybody is tested on is
trained on by nobody, in no rotation and under no label.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.population import datasets, shifts
from horae.population.base import Population
from horae.population.partitions import dirichlet
from horae.population.recipes import CLASSES, REUSE, assemble, check, check_groups, dealt, plant, share, split
from horae.population.rows import Ragged
from horae.pure.streams import stream
from horae.types import Floats, Ints

MOST_ALPHA = 1e6  # beyond, label proportions are even to the last bits


@dataclass(frozen=True)
class DigitsRotated:
    """Groups of clients that hold their digits at different angles: same labels, other inputs.

    degrees: one group each, counter-clockwise. group_sizes: clients by group, near equal if empty; who is in which
    group is drawn by seed. test_fraction: of all images, and of each client's images_per_client. alpha: label
    proportions of each client, training and test alike, from Dir(alpha, ..., alpha); 0: images at random. skew: the
    upper half of the labels is so many times as frequent in odd groups, and as rare in even ones.
    """

    clients: int = 200
    images_per_client: int = 36
    degrees: tuple[float, ...] = (0, 90, 180, 270)
    group_sizes: tuple[int, ...] = ()
    test_fraction: float = 0.2
    alpha: float = 0.0
    skew: float = 1.0

    def __post_init__(self) -> None:
        check(self.clients, self.images_per_client, self.test_fraction)
        require(len(self.degrees) >= 1, "population.degrees", "name at least one angle", self.degrees)
        require(bool(np.isfinite(self.degrees).all()), "population.degrees", "be finite", self.degrees)
        check_groups("population.degrees", len(self.degrees), self.group_sizes, self.clients)
        require(0 <= self.alpha <= MOST_ALPHA, "population.alpha", f"be in [0, {MOST_ALPHA:g}]", self.alpha)
        require(1 <= self.skew <= 1e6, "population.skew", "be in [1, 1e6]", self.skew)
        drawn = self.skew == 1 or self.alpha > 0
        require(drawn, "population.alpha", "be > 0 beside population.skew", self.alpha, "100 is hardly skewed")

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """None: the data come with scikit-learn."""

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients. Row group * 1797 + image of x is that image, turned by the group's angle."""
        data = datasets.digits()
        x = np.concatenate([shifts.rotate(data.x, angle) for angle in self.degrees])
        y = np.tile(data.y, len(self.degrees))
        groups = plant(self.clients, len(self.degrees), self.group_sizes, seed)
        angles = ", ".join(f"{angle:g}" for angle in self.degrees)
        about = f"1,797 digits of 8x8; client groups see them turned by {angles} degrees. {REUSE}"
        if not self.alpha:
            return _shifted("digits-rotated", about, x, y, groups, self.images_per_client, self.test_fraction, seed)
        words = f"label proportions from Dir({self.alpha:g})" + (f", times {self.skew:g}" if self.skew > 1 else "")
        train, test = self._skewed(groups, seed)
        return assemble("digits-rotated", f"{about} {words}.", train, test, groups, x, y)

    def _skewed(self, groups: Ints, seed: int) -> tuple[Ragged, Ragged]:
        """Training and test rows of clients with label proportions of their own."""
        y = datasets.digits().y
        q = stream(seed, "population q").dirichlet(np.full(CLASSES, self.alpha), self.clients)
        upper = np.arange(CLASSES) >= CLASSES // 2
        q *= np.where(upper[None] == (groups % 2 == 1)[:, None], self.skew, 1.0)
        q /= q.sum(axis=1, keepdims=True)
        hands = []
        pools, each = split(self.test_fraction, seed), share(self.images_per_client, self.test_fraction)
        for name, pool, n in zip(("train", "test"), pools, each, strict=True):
            rows, _ = dirichlet(y, pool, self.clients, n, 1.0, stream(seed, f"population {name}"), q)
            hands.append(Ragged(rows.offsets, rows.indices + y.size * np.repeat(groups, n)))
        return hands[0], hands[1]


@dataclass(frozen=True)
class DigitsPermuted:
    """Groups of clients that call the same digits by different labels: same inputs, conflicting answers.

    Group 0 uses the true labels, each other one a permutation of its own. group_sizes: as for DigitsRotated.
    """

    clients: int = 200
    images_per_client: int = 36
    n_groups: int = 4
    group_sizes: tuple[int, ...] = ()
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check(self.clients, self.images_per_client, self.test_fraction)
        require(self.n_groups >= 1, "population.n_groups", "be >= 1", self.n_groups, "raise it")
        check_groups("population.n_groups", self.n_groups, self.group_sizes, self.clients)

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """None: the data come with scikit-learn."""

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients. Row group * 1797 + image of y is that image's label in the group's own names."""
        data = datasets.digits()
        x = np.tile(data.x, (self.n_groups, 1, 1))
        names = [
            shifts.permute_labels(data.y, g, CLASSES, stream(seed, "population labels", g))
            for g in range(self.n_groups)
        ]
        groups = plant(self.clients, self.n_groups, self.group_sizes, seed)
        about = f"1,797 digits of 8x8; {self.n_groups} client groups name the ten labels differently. {REUSE}"
        y = np.concatenate(names)
        return _shifted("digits-permuted", about, x, y, groups, self.images_per_client, self.test_fraction, seed)


def _shifted(
    name: str, about: str, x: Floats, y: Ints, groups: Ints, images: int, test_fraction: float, seed: int
) -> Population:
    """Clients that are dealt `images` of their own group's copy: copy g of image i is row g * n + i."""
    n = datasets.digits().y.size
    copies = np.arange(0, y.size, n)
    fit, score = ([part + start for start in copies] for part in split(test_fraction, seed))
    train, test = dealt(fit, score, groups, images, test_fraction, seed)
    return assemble(name, about, train, test, groups, x, y)
