"""What the populations made of scikit-learn's digits share: ranges, the split, who is in which group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from horae.errors import require
from horae.population import datasets
from horae.population.base import Population
from horae.population.partitions import deal_groups
from horae.population.rows import Ragged
from horae.pure.streams import stream
from horae.types import Floats, Ints

CLASSES, IMAGES = 10, 1797
MOST_CLIENTS, MOST_GROUPS = 10_000_000, 1000  # beyond these memory ends: a group has its own copy of the images
REUSE = (
    "Images are split into train and test before clients are formed; within either part several clients may hold one."
)
LICENCE = "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits), by way of scikit-learn"
CITATION = "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI, 1998. doi:10.24432/C50P49"


def check(clients: int, images_per_client: int, test_fraction: float) -> None:
    """Refuse numbers that make no population: raises ConfigError."""
    require(clients >= 1, "population.clients", "be >= 1", clients, "raise it")
    require(clients <= MOST_CLIENTS, "population.clients", f"be <= {MOST_CLIENTS:,}", clients, "lower it")
    field, should = "population.images_per_client", f"be <= {IMAGES:,}, the images there are"
    require(images_per_client >= 1, field, "be >= 1", images_per_client, "raise it")
    require(images_per_client <= IMAGES, field, should, images_per_client, "lower it")
    require(0 <= test_fraction < 1, "population.test_fraction", "be in [0, 1)", test_fraction)


def check_groups(field: str, n_groups: int, sizes: Sequence[int], clients: int) -> None:
    """Refuse group sizes that do not share out all clients among all groups: raises ConfigError. None given is fine.

    field: the one that says how many groups there are.
    """
    require(n_groups <= MOST_GROUPS, field, f"make at most {MOST_GROUPS} groups", n_groups, "make fewer")
    if not sizes:
        return
    field = "population.group_sizes"
    require(len(sizes) == n_groups, field, f"have {n_groups} entries, one per group", list(sizes), "leave it out")
    require(min(sizes) >= 1, field, "be >= 1 each", list(sizes))
    require(sum(sizes) == clients, field, f"sum to population.clients, {clients}", sum(sizes), "change either")


def plant(clients: int, n_groups: int, sizes: Sequence[int], seed: int) -> Ints:
    """The group of each client, `(clients,)`: `sizes` clients by group, near equal if empty, shuffled by seed."""
    counts = sizes or [(clients + n_groups - 1 - group) // n_groups for group in range(n_groups)]
    return stream(seed, "population groups").permutation(np.repeat(np.arange(n_groups), counts))


def share(images_per_client: int, test_fraction: float) -> tuple[int, int]:
    """How many of a client's images are for training, at least one, and how many for testing."""
    n_test = min(round(images_per_client * test_fraction), images_per_client - 1)
    return images_per_client - n_test, n_test


def split(test_fraction: float, seed: int) -> tuple[Ints, Ints]:
    """The digits' image numbers for training and for testing."""
    return datasets.split_images(datasets.digits().y.size, test_fraction, stream(seed, "population split"))


def dealt(
    fit: Iterable[Ints], score: Iterable[Ints], groups: Ints, images_per_client: int, test_fraction: float, seed: int
) -> tuple[Ragged, Ragged]:
    """Training and test rows of each client, dealt from its group's pool in `fit` and in `score`."""
    n_train, n_test = share(images_per_client, test_fraction)
    train = deal_groups(list(fit), groups, n_train, stream(seed, "population train"))
    return train, deal_groups(list(score), groups, n_test, stream(seed, "population test"))


def assemble(
    name: str, about: str, train: Ragged, test: Ragged, groups: Ints, x: Floats | None = None, y: Ints | None = None
) -> Population:
    """A population of digits; x and y where they are not the images as they come."""
    data = datasets.digits()
    x, y = (data.x.copy() if x is None else x), (data.y.copy() if y is None else y)
    return Population(name, x, y, train, test, groups, CLASSES, about, LICENCE, CITATION)
