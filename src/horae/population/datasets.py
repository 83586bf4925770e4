"""Images as they come: loaded once, scaled to [0, 1], read-only."""

from __future__ import annotations

import functools
import os
import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import DataError, one_line
from horae.types import Floats, Ints

FORM_STARTS = (0, 130, 256, 386, 516, 646, 776, 905, 1029, 1157, 1287, 1415, 1545, 1667, 1797)


@dataclass(frozen=True)
class Digits:
    """x `(1797, 8, 8)`, y `(1797,)`, session `(1797,)`: which of the 14 hidden forms an image comes from."""

    x: Floats
    y: Ints
    session: Ints


@dataclass(frozen=True)
class Writers:
    """x `(images, 28, 28)` uint8, y, writer and hsf `(images,)`: hsf 0 are census staff, hsf 4 are students."""

    x: NDArray[np.uint8]
    y: Ints
    writer: Ints
    hsf: Ints


@functools.cache
def digits() -> Digits:
    """The optical digits of scikit-learn, x in [0, 1].

    Every writer filled in the same form, so that the label sequence starts again where a new form begins (FORM_STARTS).
    Source: Alpaydin and Kaynak (1998), UCI. Reading: the borders were found by us; the documentation says 13 writers.
    """
    from sklearn.datasets import load_digits  # slow to import, and few need it

    x, y = load_digits(return_X_y=True)
    session = np.repeat(np.arange(len(FORM_STARTS) - 1), np.diff(FORM_STARTS))
    images = (x / 16).astype(np.float32).reshape(-1, 8, 8)
    _freeze(images, labels := y.astype(np.int64), session := session.astype(np.int64))
    return Digits(images, labels, session)


def mnist_writers(data_root: pathlib.Path | None) -> Writers:
    """MNIST with the writer of each image, from `mnist_writers.npz` in the data directory.

    The directory is `data_root`, else $HORAE_DATA, else ~/.cache/horae. Raises DataError if the file is missing or
    broken.
    """
    reason = missing_writers(data_root)
    if reason is not None:
        raise DataError(reason)
    return _read_writers(_writers_path(data_root))


def missing_writers(data_root: pathlib.Path | None) -> str | None:
    """Why `mnist_writers` would fail, in one line, or None if its file is there."""
    path = _writers_path(data_root)
    if _is_file(path):
        return None
    return f"{one_line(path)} is missing; put it there, or name its directory with --data-root or HORAE_DATA"


def split_images(n: int, test_fraction: float, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Image numbers 0 to n - 1 in two sorted parts: those to train on, and round(test_fraction n) to test on."""
    order = rng.permutation(n)
    cut = min(round(n * test_fraction), n - 1)
    return np.sort(order[cut:]), np.sort(order[:cut])


def _writers_path(data_root: pathlib.Path | None) -> pathlib.Path:
    try:
        root = data_root or os.environ.get("HORAE_DATA") or pathlib.Path.home() / ".cache" / "horae"
        return pathlib.Path(root).expanduser() / "mnist_writers.npz"
    except RuntimeError as error:  # ~somebody, and there is no such person
        raise DataError(f"{error}; name the directory of the data with --data-root or HORAE_DATA") from None


def _is_file(path: pathlib.Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # behind a door that is closed to us
        return False


@functools.lru_cache(maxsize=1)
def _read_writers(path: pathlib.Path) -> Writers:
    remedy = "fetch it again"
    try:
        with np.load(path) as file:
            x, *rest = (file[key] for key in ("x", "y", "writer", "hsf"))
    except Exception as error:  # numpy, zipfile and zlib each have their own words for a broken file
        raise DataError(f"{path} should hold x, y, writer and hsf, got {one_line(error, 120)}; {remedy}") from error
    images = x.ndim == 3 and x.shape[1:] == (28, 28) and x.dtype == np.uint8 and len(x) > 0
    whole = all(array.shape == x.shape[:1] and array.dtype.kind in "iu" for array in rest)
    if not images or not whole:
        found = one_line([f"{array.dtype} {array.shape}" for array in (x, *rest)], 120)
        raise DataError(
            f"{path} should hold images (n, 28, 28) of bytes and n whole numbers each, got {found}; {remedy}"
        )
    y, writer, hsf = (array.astype(np.int64) for array in rest)
    _freeze(x, y, writer, hsf)
    return Writers(x, y, writer, hsf)


def _freeze(*arrays: np.ndarray[Any, Any]) -> None:
    """Cached arrays are everybody's: nobody may write into them."""
    for array in arrays:
        array.setflags(write=False)
