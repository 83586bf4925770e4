"""MNIST by writer: a natural population with two real cohorts."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.population import datasets
from horae.population.base import Population
from horae.population.rows import Ragged
from horae.pure.streams import stream
from horae.types import Floats, Ints

LICENCE = (
    "NIST Special Database 19: work of the US government; MNIST: its authors state no licence "
    "(often quoted: CC BY-SA 3.0); read their terms before passing it on"
)
CITATION = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition. "
    "Proc. IEEE, 1998; P. Grother: NIST Special Database 19. 1995"
)


@dataclass(frozen=True)
class MnistWriters:
    """People who wrote MNIST's digits, one client each: census staff (group 0) and students (group 1).

    clients: writers drawn by seed. side: 28, or 14 by averaging 2x2 pixels. A writer with fewer than train_per_client +
    test_per_client images gives all it has in that ratio, at least one for training. Needs `mnist_writers.npz`.
    """

    clients: int = 200
    side: int = 14
    train_per_client: int = 60
    test_per_client: int = 20

    def __post_init__(self) -> None:
        require(self.clients >= 1, "population.clients", "be >= 1", self.clients, "raise it")
        require(self.side in (14, 28), "population.side", "be 14 or 28", self.side)
        require(self.train_per_client >= 1, "population.train_per_client", "be >= 1", self.train_per_client, "raise it")
        require(self.test_per_client >= 0, "population.test_per_client", "be >= 0", self.test_per_client, "raise it")

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return datasets.missing_writers(data_root)

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients. Only the images they hold are kept, each held once. Raises DataError if the file is missing."""
        data = datasets.mnist_writers(data_root)
        ids = np.unique(data.writer)
        require(
            self.clients <= ids.size, "population.clients", f"be <= the {ids.size} writers", self.clients, "lower it"
        )
        chosen = np.sort(stream(seed, "population writers").permutation(ids)[: self.clients])
        cuts = [self._cut(np.flatnonzero(data.writer == writer), int(writer), seed) for writer in chosen]
        train = Ragged.of(fit for fit, _ in cuts)
        test = Ragged.of(score for _, score in cuts)
        kept, places = np.unique(np.concatenate([train.indices, test.indices]), return_inverse=True)
        train = Ragged(train.offsets, places[: train.indices.size])
        test = Ragged(test.offsets, places[train.indices.size :])
        groups = (data.hsf[[fit[0] for fit, _ in cuts]] == 4).astype(np.int64)
        pixels = f"{self.side}x{self.side} pixels"
        about = f"MNIST by writer: {self.clients} of {ids.size} people, {pixels}; no image is held twice"
        x = shrink(data.x[kept], self.side)
        return Population("mnist-writers", x, data.y[kept], train, test, groups, 10, about, LICENCE, CITATION)

    def _cut(self, rows: Ints, writer: int, seed: int) -> tuple[Ints, Ints]:
        """One writer's images for training and for testing, by a stream of its own."""
        wanted = self.train_per_client + self.test_per_client
        mixed = stream(seed, "population writer", writer).permutation(rows)[:wanted]
        n_test = min(round(mixed.size * self.test_per_client / wanted), mixed.size - 1)
        return mixed[n_test:], mixed[:n_test]


def shrink(x: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], side: int) -> Floats:
    """Images `(n, 28, 28)` of bytes as `(n, side, side)` floats in [0, 1], each the mean of a square of pixels."""
    step = x.shape[1] // side
    small: Floats = x.reshape(-1, side, step, side, step).mean(axis=(2, 4), dtype=np.float32) / np.float32(255)
    return small
