"""Clients that nobody made: what client i holds follows from the seed when it is asked, and costs nothing before.

Ten million of them take no more memory than ten; devices and hours are worked out in the same way.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.errors import require
from horae.population import datasets, shifts
from horae.population.base import Population
from horae.population.recipes import CITATION, CLASSES, LICENCE, REUSE, check, check_groups, share, split
from horae.population.rows import Ragged
from horae.pure.streams import uniforms
from horae.types import Ints

MOST_CLIENTS = 2**40
_BLOCK, _SOME = 2**20, 4096  # clients counted at once, clients whose labels are looked at


@dataclass(frozen=True)
class DrawnGroups:
    """Client i's group is ⌊n_groups u_i⌋, u_i uniform by seed and client."""

    clients: int
    n_groups: int
    seed: int

    def __getitem__(self, clients: Any) -> Ints:
        """The groups of these clients, `(q,)`."""
        groups: Ints = (self.n_groups * uniforms(self.seed, "population groups", clients)).astype(np.int64)
        return groups

    def __len__(self) -> int:
        return self.clients


@dataclass(frozen=True)
class DrawnRows:
    """Client i holds `images` rows of its group's pool, drawn with replacement by seed and client."""

    groups: DrawnGroups
    pools: tuple[Ints, ...]
    images: int
    purpose: str

    def row(self, i: int) -> Ints:
        """Client i's rows, in order."""
        return self.rows(np.array([i]))[0]

    def rows(self, clients: Ints) -> list[Ints]:
        """These clients' rows, in order."""
        draws = uniforms(self.groups.seed, self.purpose, np.asarray(clients)[:, None], np.arange(self.images))
        held = np.empty(draws.shape, np.int64)
        groups = self.groups[clients]
        for group, pool in enumerate(self.pools):
            mine = groups == group
            held[mine] = pool[(draws[mine] * pool.size).astype(np.int64)]
        return list(np.sort(held, axis=1))

    def sizes_of(self, clients: Ints) -> Ints:
        """The same for all, `(q,)`."""
        return np.full(len(clients), self.images)

    @property
    def most(self) -> int:
        """What everybody holds."""
        return self.images

    def __len__(self) -> int:
        return len(self.groups)


class VirtualPopulation(Population):
    """A population whose train, test and groups are worked out when they are asked for."""

    def __post_init__(self) -> None:
        """Drawn from what was checked: there is nothing to look through."""

    @property
    def _drawn(self) -> tuple[DrawnRows, DrawnRows, DrawnGroups]:
        train, test, groups = self.train, self.test, self.groups
        assert isinstance(train, DrawnRows) and isinstance(test, DrawnRows) and isinstance(groups, DrawnGroups)
        return train, test, groups

    @property
    def labels(self) -> Ints:
        """Every group; of few clients some may have nobody."""
        return np.arange(self._drawn[2].n_groups)

    @property
    def held(self) -> tuple[np.ndarray[Any, Any], ...]:
        """What all follows from."""
        train, test, groups = self._drawn
        numbers = np.array([groups.clients, groups.n_groups, groups.seed, train.images, test.images])
        return numbers, *train.pools, *test.pools

    def facts(self) -> dict[str, Any]:
        """As for any population; labels are looked at in some clients."""
        train, test, groups = self._drawn
        counts = np.zeros(groups.n_groups, np.int64)
        for first in range(0, groups.clients, _BLOCK):
            some = groups[np.arange(first, min(first + _BLOCK, groups.clients))]
            counts += np.bincount(some, minlength=groups.n_groups)
        few = Ragged.of(train.rows(np.arange(min(_SOME, groups.clients))))
        return {
            "name": self.name,
            "clients": groups.clients,
            "task": self.task,
            "classes": self.classes,
            "shape": list(self.shape),
            "train_samples": groups.clients * train.images,
            "test_samples": groups.clients * test.images,
            "train_samples_min": train.images,
            "train_samples_median": float(train.images),
            "train_samples_max": train.images,
            "groups": {group: int(size) for group, size in enumerate(counts) if size},
            "label_skew": self.skew(few),
        }


@dataclass(frozen=True)
class Virtual:
    """As many clients as you like, each with digits at its group's angle (see `DigitsRotated`).

    A client's group, images, device and hours follow from its number and the seed. degrees: one group each; groups
    are near equal. images_per_client are drawn with replacement.
    """

    clients: int = 10_000_000
    images_per_client: int = 36
    degrees: tuple[float, ...] = (0, 90, 180, 270)
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check(min(self.clients, 1), self.images_per_client, self.test_fraction)
        require(self.clients <= MOST_CLIENTS, "population.clients", f"be <= {MOST_CLIENTS:,}", self.clients)
        require(len(self.degrees) >= 1, "population.degrees", "name at least one angle", self.degrees)
        require(bool(np.isfinite(self.degrees).all()), "population.degrees", "be finite", self.degrees)
        check_groups("population.degrees", len(self.degrees), (), self.clients)

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """None: the data come with scikit-learn."""

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients. Row group * 1797 + image of x is that image, turned by the group's angle."""
        data, n_groups = datasets.digits(), len(self.degrees)
        x = np.concatenate([shifts.rotate(data.x, angle) for angle in self.degrees])
        fit, score = (
            tuple(part + group * data.y.size for group in range(n_groups)) for part in split(self.test_fraction, seed)
        )
        n_train, n_test = share(self.images_per_client, self.test_fraction)
        groups = DrawnGroups(self.clients, n_groups, seed)
        train = DrawnRows(groups, fit, n_train, "population train")
        test = DrawnRows(groups, score, n_test, "population test")
        angles = ", ".join(f"{angle:g}" for angle in self.degrees)
        about = f"1,797 digits of 8x8, dealt on demand; client groups see them turned by {angles} degrees. {REUSE}"
        y = np.tile(data.y, n_groups)
        return VirtualPopulation("virtual", x, y, train, test, groups, CLASSES, about, LICENCE, CITATION)
