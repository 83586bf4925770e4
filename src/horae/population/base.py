"""A population: shared sample arrays, and for each client which of their rows it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from horae.errors import DataError, one_line
from horae.population.counts import written_out
from horae.population.rows import Drift, Lookup, Ragged, Rows, demand
from horae.pure.streams import stream
from horae.types import UNKNOWN, Ints, TaskName

MOST_CLASSES = 100_000  # every client's mix of labels is counted


@dataclass(frozen=True)
class Population:
    """Who holds which data.

    x `(images, *shape)` and y `(images, ...)` are shared by all, in memory or mapped from a file; client i trains on
    the rows train.row(i) and is tested on test.row(i).

    x: float32; whole numbers that stand for `scale` times as much, as the bytes of a picture do (1 / 255); or, with
    scale None, tokens numbered from 0. y: int64 labels in [0, classes); for task "next-token" `(images,)` or `(images,
    length)`, UNKNOWN where nothing is asked; for "regression" float32 `(images,)`, and one class. groups `(clients,)`:
    the planted group of each client or UNKNOWN. drift: what takes the place of these rows as time goes by, or None.
    about: what it is and what is reused. Raises DataError where these disagree.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[Any]
    train: Rows
    test: Rows
    groups: Lookup
    classes: int
    about: str = ""
    licence: str = ""
    citation: str = ""
    task: TaskName = "classification"
    scale: float | None = None
    drift: Drift | None = None

    def __post_init__(self) -> None:
        n = len(self.train)
        demand(n >= 1, "clients", "number at least 1", n, "add a client")
        demand(len(self.x) == len(self.y), "y", f"have {len(self.x)} labels, one per row of x", len(self.y))
        demand(len(self.test) == n, "test", f"have {n} rows, one per client", len(self.test))
        demand(len(self.groups) == n, "groups", f"have {n} entries, one per client", len(self.groups))
        train, test, groups = self._arrays()
        demand(bool((groups >= UNKNOWN).all()), "groups", "be >= 0, or -1 where unknown", _span(groups))
        demand(
            self.classes <= MOST_CLASSES, "y", f"hold at most {MOST_CLASSES:,} labels", self.classes, "renumber them"
        )
        demand(min(self.shape, default=0) >= 1, "x", "hold samples of one number at least", self.shape, "reshape it")
        self._check_samples()
        for field, held in (("train", train.indices), ("test", test.indices)):
            demand(_within(held, len(self.x)), field, f"hold rows in [0, {len(self.x)})", _span(held))
        bare = np.flatnonzero(train.sizes == 0)
        demand(
            bare.size == 0,
            "train",
            "hold a sample for each client",
            f"none for {bare[:5].tolist()}",
            "drop these clients",
        )

    def _check_samples(self) -> None:
        """Numbers that a model can be trained on."""
        x, y, tokens = self.x, self.y, self.x.dtype.kind in "iu" and self.scale is None
        demand(x.dtype == np.float32 or x.dtype.kind in "iu", "x", "be float32 or whole numbers", x.dtype, "convert it")
        if x.dtype.kind == "f":
            demand(bool(np.isfinite(x).all()), "x", "be finite", "nan or inf", "drop or fill these samples")
        demand(not tokens or x.size == 0 or int(x.min()) >= 0, "x", "hold tokens numbered from 0", _span(x))
        if self.task == "regression":
            fine = y.ndim == 1 and y.dtype.kind == "f" and bool(np.isfinite(y).all()) and self.classes == 1
            demand(fine, "y", "be one finite number for each sample, and classes 1", _kind(y), "drop these samples")
            return
        flat = self.task == "classification" or y.ndim == 1
        demand(y.dtype.kind in "iu" and y.ndim == (1 if flat else 2), "y", "be whole numbers", _kind(y))
        fits = y.size == 0 or (int(y.min()) >= (0 if flat else UNKNOWN) and int(y.max()) < self.classes)
        demand(fits, "y", f"hold labels in [0, {self.classes})", _span(y), "renumber the labels")

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self.train)

    def train_at(self, clients: Ints, at_s: float) -> list[Ints]:
        """The rows that these clients train on at that second."""
        rows = self.train.rows(clients)
        return rows if self.drift is None else self.drift.at(rows, clients, at_s)

    def test_at(self, clients: Ints, at_s: float) -> list[Ints]:
        """The rows that these clients are tested on at that second."""
        rows = self.test.rows(clients)
        return rows if self.drift is None else self.drift.at(rows, clients, at_s)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.x.shape[1:]

    def _arrays(self) -> tuple[Ragged, Ragged, Ints]:
        """train, test, groups, where they are counted."""
        train, test, groups = self.train, self.test, self.groups
        assert isinstance(train, Ragged) and isinstance(test, Ragged) and isinstance(groups, np.ndarray)
        return train, test, groups

    @property
    def labels(self) -> Ints:
        """The values that `groups` takes, in order; UNKNOWN is one of them."""
        return np.unique(self._arrays()[2])

    @property
    def planted(self) -> Ints:
        """The planted groups there are, in order; empty where nothing is planted."""
        return self.labels[self.labels >= 0]

    @property
    def held(self) -> tuple[np.ndarray[Any, Any], ...]:
        """What tells who holds which samples, to be hashed."""
        train, test, groups = self._arrays()
        return groups, train.offsets, train.indices, test.offsets, test.indices

    def facts(self) -> dict[str, Any]:
        """What can be said about it in numbers, ready for JSON.

        `label_skew`: total variation ½ Σ_c |p_i(c) - p(c)| between a client's training labels and everybody's, averaged
        over clients (of a regression, tenths of the values are the labels): 0 where all clients hold the same mix, near
        1 where each holds one rare class. `groups`: size by group.
        """
        train, test, every = self._arrays()
        sizes = train.sizes
        groups, members = np.unique(every[every != UNKNOWN], return_counts=True)
        return {
            "name": self.name,
            "clients": self.clients,
            "task": self.task,
            "classes": self.classes,
            "shape": list(self.shape),
            "train_samples": int(sizes.sum()),
            "test_samples": int(test.sizes.sum()),
            "train_samples_min": int(sizes.min()),
            "train_samples_median": float(np.median(sizes)),
            "train_samples_max": int(sizes.max()),
            "groups": {int(group): int(size) for group, size in zip(groups, members, strict=True)},
            "label_skew": self.skew(train),
        }

    def skew(self, train: Ragged) -> float:
        """`label_skew` of some clients' training samples."""
        y, classes, owners = self.y[train.indices], self.classes, train.owners
        if self.task == "regression":
            edges = np.unique(np.quantile(y, np.linspace(0, 1, 11)[1:-1]))
            y, classes = np.searchsorted(edges, y, "right"), edges.size + 1
        if y.ndim > 1:
            owners, y = np.repeat(owners, y.shape[1])[y.ravel() != UNKNOWN], y.ravel()[y.ravel() != UNKNOWN]
        counts = np.bincount(owners * classes + y, minlength=len(train) * classes).reshape(len(train), classes)
        mix = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return float(0.5 * np.abs(mix - counts.sum(axis=0) / counts.sum()).sum(axis=1).mean())

    @classmethod
    def from_arrays(
        cls,
        clients: Sequence[tuple[ArrayLike, ArrayLike]],
        groups: ArrayLike | None = None,
        test_fraction: float = 0.2,
        seed: int = 0,
        name: str = "arrays",
    ) -> Population:
        """Your own clients: one `(x, y)` each, x `(n, *shape)`, y `(n,)` integer labels from 0 on. x may be scipy's
        sparse matrices of word counts `(n, words)`: they become rows of words for `sparse-logistic`, of words + 1
        features.

        Each client's samples are split at random into round(test_fraction n) for testing and the rest, at least one,
        for training. groups: the known truth of who belongs together, if there is one. Raises DataError.
        """
        demand(0 <= test_fraction < 1, "test_fraction", "be in [0, 1)", test_fraction)
        demand(len(clients) > 0, "clients", "number at least 1", 0, "give one (x, y) per client")
        given = written_out(clients)
        pairs = [_samples(i, pair, np.float32 if given is clients else np.int32) for i, pair in enumerate(given)]
        for i, (x, _) in enumerate(pairs):
            shape = pairs[0][0].shape[1:]
            demand(x.shape[1:] == shape, f"clients[{i}].x", f"have samples of shape {shape} like client 0", x.shape[1:])
        known = np.full(len(pairs), UNKNOWN) if groups is None else np.asarray(groups)
        demand(known.ndim == 1 and known.dtype.kind in "iu", "groups", "be a list of integers", _kind(known))
        y = np.concatenate([y for _, y in pairs])
        train, test = _split([len(y) for _, y in pairs], test_fraction, seed)
        x = np.concatenate([x for x, _ in pairs])
        return cls(name, x, y, train, test, known.astype(np.int64), int(y.max()) + 1, "clients given as arrays")

    @classmethod
    def from_dataset(
        cls, dataset: Any, client_ids: ArrayLike, *, test_fraction: float = 0.2, seed: int = 0, name: str = "dataset"
    ) -> Population:
        """Any map-style torch Dataset, or a list of pairs (x, y), with the id of the client that holds each sample.

        Samples are taken once and kept in one array. Bytes are read as parts of 1 / 255, other whole numbers as tokens;
        whole y are labels, others numbers to be told. Clients are numbered as they first appear. Raises DataError.
        """
        from horae.population.readers.items import shared_out  # readers make populations: they import this file

        return shared_out(dataset, client_ids, test_fraction, seed, name)


def _samples(i: int, pair: tuple[ArrayLike, ArrayLike], kind: type[np.generic]) -> tuple[NDArray[Any], Ints]:
    field = f"clients[{i}]"
    demand(isinstance(pair, tuple | list) and len(pair) == 2, field, "be a pair (x, y)", type(pair).__name__)
    try:
        with np.errstate(over="ignore"):  # what is too large for float32 is refused with the infinite
            x, y = np.asarray(pair[0], kind), np.asarray(pair[1])
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"population {field} should be arrays of numbers, got {one_line(error)}") from error
    demand(x.ndim >= 1 and y.ndim == 1, field, "be x (n, ...) and y (n,)", f"{x.shape} and {y.shape}")
    demand(len(x) == len(y), field, "have as many samples as labels", f"{len(x)} and {len(y)}")
    demand(len(y) > 0, field, "hold a sample", 0, "drop this client")
    demand(y.dtype.kind in "iu", f"{field}.y", "be integer labels", _kind(y), "map the labels to 0, 1, 2, ...")
    return x, y.astype(np.int64)


def _split(sizes: Sequence[int], test_fraction: float, seed: int) -> tuple[Ragged, Ragged]:
    """Each client's rows, shuffled by a stream of its own and cut into train and test."""
    starts = np.cumsum([0, *sizes])
    train, test = [], []
    for i, n in enumerate(sizes):
        rows = starts[i] + stream(seed, "population split", i).permutation(n)
        cut = min(round(n * test_fraction), n - 1)
        test.append(np.sort(rows[:cut]))
        train.append(np.sort(rows[cut:]))
    return Ragged.of(train), Ragged.of(test)


def _within(values: Ints, end: int) -> bool:
    return values.size == 0 or (int(values.min()) >= 0 and int(values.max()) < end)


def _span(values: Ints) -> str:
    return f"{values.min()} to {values.max()}" if values.size else "nothing"


def _kind(array: np.ndarray[Any, Any]) -> str:
    return f"{array.ndim}-d {array.dtype}"
