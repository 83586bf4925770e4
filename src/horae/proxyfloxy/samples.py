"""Images of 28x28: digits, MNIST, Fashion-MNIST; who trains on which of them, and which are tested on."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horae.errors import DataError, did_you_mean, require
from horae.population.datasets import digits, mnist_writers, split_images
from horae.proxyfloxy.model import SIDE
from horae.pure.streams import stream
from horae.types import Floats, Ints

TESTED = 1000  # images that the controller tests a model on, at most


@dataclass(frozen=True)
class Images:
    """x `(n, 28, 28)`, bytes or floats in [0, 1], y `(n,)`; train, test: rows of either part."""

    x: NDArray[np.uint8] | Floats
    y: Ints
    train: Ints
    test: Ints

    def at(self, rows: Ints) -> tuple[Floats, Ints]:
        """These images in [0, 1], and their labels."""
        x = self.x[rows]
        return (x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x.astype(np.float32)), self.y[rows]


@functools.lru_cache(maxsize=1)
def load(name: str, seed: int, data_root: Path | None = None) -> Images:
    """The images of that name. Errors: ConfigError for an unknown one, DataError where they are not here."""
    require(name in DATA, "--data-name", f"be one of {', '.join(DATA)}", name, did_you_mean(name, DATA))
    images = DATA[name](seed, data_root)
    return replace(images, test=stream(seed, "proxyfloxy test").permutation(images.test)[:TESTED])


def _digits(seed: int, data_root: Path | None) -> Images:
    """scikit-learn's 1,797 digits: each of the 8x8 pixels thrice as wide and high, and a border of two."""
    data = digits()
    x = np.pad(data.x.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    assert x.shape[1:] == (SIDE, SIDE)
    return Images(x, data.y, *split_images(len(x), 0.2, stream(seed, "proxyfloxy split")))


def _mnist(seed: int, data_root: Path | None) -> Images:
    """The 70,000 images of `mnist_writers.npz`, a seventh of them to test on."""
    data = mnist_writers(data_root)
    return Images(data.x, data.y, *split_images(len(data.x), 1 / 7, stream(seed, "proxyfloxy split")))


def _fashion(seed: int, data_root: Path | None) -> Images:
    """Debian's dataset-fashion-mnist, or its four files below the data directory; the publisher's own split."""
    from horae.population.files import located
    from horae.population.named import FashionMnist
    from horae.population.readers.idx import DEBIAN, idx_pool, missing_idx

    reason = FashionMnist().missing(data_root)
    if reason is not None:
        raise DataError(reason)
    own = located(data_root, "fashion-mnist")
    pool = idx_pool(DEBIAN / "fashion-mnist" if missing_idx(own) else own)
    tested = np.zeros(len(pool.y), bool) if pool.tested is None else pool.tested
    return Images(pool.x, pool.y, np.flatnonzero(~tested), np.flatnonzero(tested))


DATA = {"digits": _digits, "mnist": _mnist, "fashion_mnist": _fashion}


def check_samples(images: Images, endpoints: int, samples: int) -> None:
    """Refuse more samples than there are. Errors: ConfigError."""
    most = len(images.train) // endpoints
    remedy = "lower it, or take another --data-name"
    require(samples >= 1, "--samples", "be at least 1", samples)
    require(samples <= most, "--samples", f"be at most {most:,} for {endpoints} endpoints", samples, remedy)


def held(images: Images, endpoint: int, endpoints: int, samples: int, seed: int, trial: int) -> Ints:
    """The rows that an endpoint trains on: nobody else's, and the same in every round."""
    require(0 <= endpoint < endpoints, "endpoint", f"be in [0, {endpoints})", endpoint)
    order = stream(seed, "proxyfloxy samples", trial).permutation(images.train)
    return np.sort(order[endpoint * samples : (endpoint + 1) * samples])
