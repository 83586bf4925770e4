"""Whatever arrays somebody has, as x, y and owners of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from horae.errors import DataError, brief, one_line
from horae.population.pool import Pool
from horae.population.readers.common import bags, numbered
from horae.types import Ints, TaskName

FEATURES, WIDTH = 8192, 64  # of texts


def pool_of(
    x: ArrayLike | Sequence[Any], y: ArrayLike, clients: ArrayLike, where: str, *, task: str = "", tested: Any = None
) -> Pool:
    """A pool of columns: x `(samples, *shape)` numbers or `(samples,)` texts, y `(samples,)`, clients `(samples,)`.

    Bytes are read as parts of 1 / 255, other whole numbers as tokens, texts as hashed bags of words. Labels that are
    words are numbered by alphabet. task: "" is classification where y are whole numbers or words, else regression.
    Errors: DataError, which begins with `where`.
    """
    if not len(x):  # type: ignore[arg-type]
        raise DataError(f"{where}: should hold a sample, got none")
    samples, labels, who = _inputs(x, where), np.asarray(y), np.asarray(clients)
    for name, array in (("y", labels), ("client", who)):
        if array.shape[:1] != samples.shape[:1] or (name == "client" and array.ndim != 1):
            raise DataError(
                f"{where}: {name} should hold one for each of {len(samples)} samples, got {array.dtype} {array.shape}"
            )
    owners = _owners(who, where)
    kind: TaskName = _task(task, labels, where)
    labels, classes = _labels(labels, kind, where)
    scale = 1 / 255 if samples.dtype == np.uint8 else None
    set_aside = None if tested is None else np.asarray(tested).astype(bool)
    if set_aside is not None and set_aside.shape != owners.shape:
        raise DataError(f"{where}: the test column should hold one for each sample, got {set_aside.shape}")
    about = f"{where}: {len(owners)} samples of {int(owners.max()) + 1} clients"
    return Pool(samples, labels, classes, owners, set_aside, task=kind, scale=scale, about=about)


def _inputs(x: ArrayLike | Sequence[Any], where: str) -> NDArray[Any]:
    try:
        array = np.asarray(x)
    except ValueError as error:  # samples of several shapes
        raise DataError(f"{where}: x should hold samples of one shape ({one_line(error, 80)}); resize them") from None
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat)):
        if array.ndim != 1:
            raise DataError(f"{where}: x should hold one text for each sample, got {array.shape}")
        return bags((str(item) for item in array), FEATURES, WIDTH)
    if array.dtype.kind not in "biuf" or array.ndim < 1:
        raise DataError(f"{where}: x should hold numbers or texts, got {array.dtype} {array.shape}; convert it")
    if array.dtype.kind == "b":
        array = array.astype(np.float32)
    array = array[:, None] if array.ndim == 1 else array
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32, copy=False)
    bad = ~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1)
    if bad.any():
        raise DataError(f"{where}, row {int(np.argmax(bad))}: x should be finite, got nan or inf; drop or fill it")
    return numbers


def _owners(who: NDArray[Any], where: str) -> Ints:
    for row, name in enumerate(who.tolist()):
        if name is None or name == "" or name != name:  # a missing number is not itself
            raise DataError(f"{where}, row {row}: should name a client, got {brief(name)}; drop it")
    return numbered(who.tolist())


def _task(task: str, y: NDArray[Any], where: str) -> TaskName:
    if task in ("classification", "regression", "next-token"):
        return task  # type: ignore[return-value]
    if y.dtype.kind in "biuUSO":
        return "classification"
    if y.dtype.kind == "f":
        return "regression"
    raise DataError(f"{where}: y should hold labels or numbers, got {y.dtype}; convert it")


def _labels(y: NDArray[Any], task: TaskName, where: str) -> tuple[NDArray[Any], int]:
    """y as a population has it, and how many classes."""
    if task == "regression":
        try:
            return y.astype(np.float32), 1
        except (TypeError, ValueError):
            raise DataError(f"{where}: y should hold numbers, got {y.dtype}; convert it") from None
    if y.dtype.kind in "USO":
        names, numbers = np.unique(y.astype(str), return_inverse=True)
        return numbers.astype(np.int64), names.size
    if y.dtype.kind == "f" and bool((y == np.floor(y)).all()):
        y = y.astype(np.int64)
    if y.dtype.kind not in "biu" or (task == "classification" and y.ndim != 1):
        raise DataError(f"{where}: y should hold whole numbers, one for each sample, got {y.dtype} {y.shape}")
    low = int(y.min())
    if low < (-1 if task == "next-token" else 0):
        row = int(np.argmax((y == low).reshape(len(y), -1).any(axis=1)))
        raise DataError(f"{where}, row {row}: label should be >= 0, got {low}; renumber the labels")
    return y.astype(np.int64), max(int(y.max()) + 1, 1)
