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
from horae.population.recipes import CLASSES, REUSE, assemble, check, check_groups, dealt, plant, split
from horae.pure.streams import stream
from horae.types import Floats, Ints


@dataclass(frozen=True)
class DigitsRotated:
    """Groups of clients that hold their digits at different angles: same labels, other inputs.

    degrees: one group each, counter-clockwise. group_sizes: clients by group, near equal if empty; who is in which
    group is drawn by seed. test_fraction: of all images, and of each client's images_per_client.
    """

    clients: int = 200
    images_per_client: int = 36
    degrees: tuple[float, ...] = (0, 90, 180, 270)
    group_sizes: tuple[int, ...] = ()
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check(self.clients, self.images_per_client, self.test_fraction)
        require(len(self.degrees) >= 1, "population.degrees", "name at least one angle", self.degrees)
        require(bool(np.isfinite(self.degrees).all()), "population.degrees", "be finite", self.degrees)
        check_groups("population.degrees", len(self.degrees), self.group_sizes, self.clients)

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
        return _shifted("digits-rotated", about, x, y, groups, self.images_per_client, self.test_fraction, seed)


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
