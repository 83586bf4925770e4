"""What the shifts share: their checks, where an image's sides and channels lie, pixels taken from elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from horae.errors import require
from horae.population.pool import Pool
from horae.types import Doubles

FIELD = "population.shifts"
MOST_GROUPS = 1000
MOST_CHANNELS = 4


def check_times(from_s: float, over_s: float) -> None:
    """Refuse a drift that never begins: raises ConfigError."""
    for field, value in (("from_s", from_s), ("over_s", over_s)):
        require(0 <= value < np.inf, f"{FIELD}.{field}", "be >= 0, in seconds", value, "0 and 0: from the start")


def check_groups(groups: int, strength: float) -> None:
    """Refuse groups that cannot differ: raises ConfigError."""
    require(1 <= groups <= MOST_GROUPS, f"{FIELD}.groups", f"be in [1, {MOST_GROUPS}]", groups)
    require(0 < strength <= 1, f"{FIELD}.strength", "be in (0, 1]", strength)


def check_images(pool: Pool, name: str) -> None:
    """Refuse samples that are no images: raises ConfigError."""
    remedy = "leave this shift out"
    tokens = pool.x.dtype.kind in "iu" and pool.scale is None
    require(not tokens, FIELD, f"leave tokens alone: {name} is for images", str(pool.x.dtype), remedy)
    shape = pool.x.shape[1:]
    flat = len(shape) not in (2, 3) or min(shape[slice(*sides(shape))]) < 2
    require(not flat, FIELD, f"have images (h, w), (c, h, w) or (h, w, c) for {name}", shape, remedy)


def check_labels(pool: Pool, name: str) -> None:
    """Refuse samples that have no labels to change: raises ConfigError."""
    remedy = "leave this shift out"
    require(pool.task == "classification", FIELD, f"have labels for {name}, one of each sample", pool.task, remedy)
    require(pool.classes >= 2, FIELD, f"have two labels at least for {name}", pool.classes, remedy)


def sides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Where height and width lie among a sample's axes: [start, end). A last axis of at most four is channels, unless
    the first is.
    """
    if len(shape) != 3:
        return 0, 2
    return (0, 2) if shape[2] <= MOST_CHANNELS < shape[0] else (1, 3)


def channels(shape: tuple[int, ...]) -> int | None:
    """The axis of a sample's channels, or None."""
    if len(shape) != 3:
        return None
    return 2 if sides(shape) == (0, 2) else 0


def magnitudes(rng: np.random.Generator, n: int) -> Doubles:
    """n numbers of random sign, of a size in [0.5, 1]: a group that is drawn differs."""
    drawn: Doubles = rng.uniform(0.5, 1.0, n) * rng.choice([-1.0, 1.0], n)
    return drawn


def warp(x: NDArray[Any], back: Doubles, moved: Doubles) -> NDArray[Any]:
    """Images whose pixel at p, measured from the centre, is that at `back` p + `moved`, interpolated; zero outside."""
    start, end = (axis + 1 for axis in sides(x.shape[1:]))
    last = np.moveaxis(x, (start, start + 1), (-2, -1)) if end != x.ndim else x
    h, w = last.shape[-2:]
    taken = _taking(h, w, back, moved)
    flat = last.reshape(-1, h * w).astype(np.float32)
    seen = as_type((taken @ flat.T).T.reshape(last.shape), x.dtype)
    return np.ascontiguousarray(np.moveaxis(seen, (-2, -1), (start, start + 1)) if end != x.ndim else seen)


def _taking(h: int, w: int, back: Doubles, moved: Doubles) -> csr_array:
    """The weights of each old pixel in each new one, `(h w, h w)`: four of them at most."""
    centre = np.array([[(h - 1) / 2], [(w - 1) / 2]])
    grid = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij")).reshape(2, -1)
    row, column = np.round(back @ (grid - centre) + moved[:, None] + centre, 9)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    entries = []
    for down in (0, 1):
        for right in (0, 1):
            r, c = top + down, left + right
            weight = (1 - np.abs(row - r)) * (1 - np.abs(column - c))
            inside = (r >= 0) & (r < h) & (c >= 0) & (c < w) & (weight > 0)
            entries.append((weight[inside], np.flatnonzero(inside), (r * w + c)[inside]))
    weights, new, old = (np.concatenate(part) for part in zip(*entries, strict=True))
    return csr_array((weights.astype(np.float32), (new, old)), shape=(h * w, h * w))


def as_type(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers as that type: whole ones are rounded and kept within what it can hold."""
    if dtype.kind == "f":
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    whole: NDArray[Any] = np.clip(np.rint(x), limits.min, limits.max).astype(dtype)
    return whole
