"""MNIST: by writer, a natural population with two real cohorts; or shared out as one likes."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field

import numpy as np

from horae.errors import require
from horae.population import datasets
from horae.population.base import Population
from horae.population.partitioners import NaturalId
from horae.population.pool import Partition, Pool, Shift
from horae.population.rows import Ragged
from horae.population.sharing import share_out
from horae.population.shifting.applied import applied, planted
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
    test_per_client images gives all it has in that ratio, at least one for training. partition: another one than by
    writer shares all images out, and every client gives that many at most, in that ratio; nothing is known of groups
    then but those that `shifts` make. Needs `mnist_writers.npz`.
    """

    clients: int = 200
    side: int = 14
    train_per_client: int = 60
    test_per_client: int = 20
    partition: Partition = field(default_factory=NaturalId)
    shifts: tuple[Shift, ...] = ()

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
        return self._by_writer(data, seed) if isinstance(self.partition, NaturalId) else self._shared(data, seed)

    def _by_writer(self, data: datasets.Writers, seed: int) -> Population:
        ids = np.unique(data.writer)
        require(
            self.clients <= ids.size, "population.clients", f"be <= the {ids.size} writers", self.clients, "lower it"
        )
        chosen = np.sort(stream(seed, "population writers").permutation(ids)[: self.clients])
        cuts = [self._cut(np.flatnonzero(data.writer == writer), int(writer), seed) for writer in chosen]
        train = Ragged.of(fit for fit, _ in cuts)
        test = Ragged.of(score for _, score in cuts)
        groups = (data.hsf[[fit[0] for fit, _ in cuts]] == 4).astype(np.int64)
        kept, train, test = _only(train, test)
        pool = Pool(shrink(data.x[kept], self.side), data.y[kept], 10)
        sides = planted(self.shifts, self.clients, seed)
        x, y, train, test, drift = applied(pool, self.shifts, sides, train, test, seed)
        if any(shift.groups > 1 for shift in self.shifts):
            groups = sides
        pixels = f"{self.side}x{self.side} pixels"
        about = f"MNIST by writer: {self.clients} of {ids.size} people, {pixels}; no image is held twice"
        told = (about, LICENCE, CITATION)
        return Population("mnist-writers", x, y, train, test, groups, 10, *told, drift=drift)

    def _shared(self, data: datasets.Writers, seed: int) -> Population:
        """Whoever wrote them: 70,000 images that are shared out."""
        wanted = self.train_per_client + self.test_per_client
        about = f"MNIST, 70,000 images of {self.side}x{self.side} pixels, shared out; no image is held twice"
        pool = Pool(shrink(data.x, self.side), data.y, 10, data.writer, about=about, licence=LICENCE, citation=CITATION)
        return share_out(
            pool, self.partition, self.shifts, name="mnist-writers", clients=self.clients,
            test_fraction=self.test_per_client / wanted, seed=seed, samples_per_client=wanted,
        )  # fmt: skip

    def _cut(self, rows: Ints, writer: int, seed: int) -> tuple[Ints, Ints]:
        """One writer's images for training and for testing, by a stream of its own."""
        wanted = self.train_per_client + self.test_per_client
        mixed = stream(seed, "population writer", writer).permutation(rows)[:wanted]
        n_test = min(round(mixed.size * self.test_per_client / wanted), mixed.size - 1)
        return mixed[n_test:], mixed[:n_test]


def _only(train: Ragged, test: Ragged) -> tuple[Ints, Ragged, Ragged]:
    """The images that anybody holds, and the same rows by their places among these."""
    kept, places = np.unique(np.concatenate([train.indices, test.indices]), return_inverse=True)
    n = train.indices.size
    return kept, Ragged(train.offsets, places[:n]), Ragged(test.offsets, places[n:])


def shrink(x: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], side: int) -> Floats:
    """Images `(n, 28, 28)` of bytes as `(n, side, side)` floats in [0, 1], each the mean of a square of pixels."""
    step = x.shape[1] // side
    small: Floats = x.reshape(-1, side, step, side, step).mean(axis=(2, 4), dtype=np.float32) / np.float32(255)
    return small
