"""Samples that somebody's Python hands out one by one, such as a torch Dataset."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from horae.errors import DataError, one_line
from horae.population.base import Population
from horae.population.pool import Pool
from horae.population.readers.arrays import pool_of
from horae.population.readers.common import by_owner
from horae.population.sharing import share_out


class Items(Protocol):
    """Pairs by number: a map-style torch Dataset, or a list."""

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, i: int, /) -> Any:
        """Sample i, a pair `(x, y)`."""


def shared_out(dataset: Items, client_ids: ArrayLike, test_fraction: float, seed: int, name: str) -> Population:
    """A client for each id. Errors: DataError."""
    pool = gathered(dataset, client_ids)
    return share_out(pool, by_owner(), name=name, test_fraction=test_fraction, seed=seed)


def gathered(dataset: Items, client_ids: ArrayLike) -> Pool:
    """Every sample of a data set, taken once and kept; samples of one shape. Errors: DataError."""
    whose = np.asarray(client_ids)
    try:
        n = len(dataset)
    except TypeError:
        raise DataError("dataset should know its length; make a map-style Dataset of it") from None
    if whose.shape != (n,) or n == 0:
        raise DataError(f"client_ids should hold one id for each of {n} samples, one at least, got {whose.shape}")
    x: NDArray[Any] | None = None
    y: list[Any] = []
    for i in range(n):
        sample, label = _pair(dataset, i)
        if x is None:
            x = np.empty((n, *sample.shape), sample.dtype)
        if sample.shape != x.shape[1:] or not np.can_cast(sample.dtype, x.dtype, "same_kind"):
            raise DataError(
                f"dataset[{i}]: x should be {x.dtype} {x.shape[1:]} like the first, got {sample.dtype} {sample.shape}"
            )
        x[i] = sample
        y.append(label)
    assert x is not None
    try:
        labels = np.array(y)
    except ValueError:
        raise DataError("dataset: y should be of one shape in every sample") from None
    return pool_of(x, labels, whose, "dataset")


def _pair(dataset: Items, i: int) -> tuple[NDArray[Any], NDArray[Any]]:
    item = dataset[i]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"dataset[{i}] should be a pair (x, y), got {type(item).__name__}")
    try:
        pair = np.asarray(item[0]), np.asarray(item[1])
    except Exception as error:  # a tensor on another device, one that asks for its gradient
        raise DataError(f"dataset[{i}] should be arrays or tensors in memory, got {one_line(error, 80)}") from None
    if pair[0].dtype.kind == "f":
        return pair[0].astype(np.float32), pair[1]
    return pair
