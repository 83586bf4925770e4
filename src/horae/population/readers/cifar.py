"""CIFAR-10 and CIFAR-100, the batches for Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from horae.errors import brief, one_line
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Partition, Pool
from horae.population.readers.common import Sharing, by_chance, first_missing, insist, wrong
from horae.population.unpickle import restricted_load
from horae.types import Ints

TEN = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
HUNDRED = ("train", "test")
CITATION = "A. Krizhevsky: Learning multiple layers of features from tiny images. 2009"


@dataclass(frozen=True)
class Cifar(Sharing):
    """CIFAR-10 (cifar-10-batches-py) or CIFAR-100 (cifar-100-python): 60,000 colour images of 32x32 pixels.

    directory: below the data directory; which of the two it is is seen from its files. labels: of CIFAR-100, "fine"
    (100) or "coarse" (20). The batches are pickles, and are read by an unpickler that knows plain arrays alone. Nobody
    owns an image: `partition` makes clients.
    """

    directory: str = "cifar-10-batches-py"
    labels: Literal["fine", "coarse"] = "fine"
    clients: int = 100
    partition: Partition = field(default_factory=by_chance)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        directory = located(data_root, self.directory)
        return first_missing(_batches(directory), "CIFAR's batches for Python")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        pool = cifar_pool(located(data_root, self.directory), self.labels)
        return self.people(pool, "cifar-10" if pool.classes == 10 else "cifar-100", seed)


def cifar_pool(directory: Path, labels: Literal["fine", "coarse"] = "fine") -> Pool:
    """All images as bytes `(images, 3, 32, 32)`, those of the test batch set aside. Errors: DataError."""
    files = _batches(directory)
    ten = files[0].name != "train"
    key, classes = ("labels", 10) if ten else (f"{labels}_labels", 100 if labels == "fine" else 20)
    parts: list[NDArray[np.uint8]] = []
    ys = []
    for file in files:
        images, y = _batch(file, key, classes)
        parts.append(images)
        ys.append(y)
    sizes = [len(y) for y in ys]
    x, at = np.empty((sum(sizes), 3, 32, 32), np.uint8), 0
    for n in sizes:
        x[at : at + n] = parts.pop(0)  # a batch is let go once it is copied
        at += n
    tested = np.arange(len(x)) >= len(x) - sizes[-1]
    about = f"CIFAR-{10 if ten else 100}, {classes} labels, {len(x)} images"
    return Pool(x, np.concatenate(ys), classes, None, tested, scale=1 / 255, about=about, citation=CITATION)


def _batches(directory: Path) -> list[Path]:
    hundred = [directory / name for name in HUNDRED]
    return hundred if first_missing(hundred, "") is None else [directory / name for name in TEN]


def _batch(file: Path, key: str, classes: int) -> tuple[NDArray[np.uint8], Ints]:
    held: Any = restricted_load(file)
    if not isinstance(held, dict) or "data" not in held or key not in held:
        found = brief(sorted(map(str, held)), 60) if isinstance(held, dict) else type(held).__name__
        raise wrong(file, f"should hold data and {key}, got {found}; fetch it again")
    data, labels = held["data"], held[key]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        kind = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise wrong(file, f"data should be bytes (images, 3072), got {kind}; fetch it again")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise wrong(file, f"{key} should be a list of {len(data)} numbers, got {one_line(type(labels).__name__)}")
    for row, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < classes:
            raise wrong(file, f"label should be a whole number in [0, {classes}), got {brief(label, 20)}", row)
    return data.reshape(-1, 3, 32, 32), np.array(labels, np.int64)
