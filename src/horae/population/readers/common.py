"""What readers share: fields, rows of text files, names as numbers, and what is said of a broken file."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import DataError, brief, one_line, require
from horae.population.base import Population
from horae.population.partitioners import PARTITIONS
from horae.population.pool import Partition, Pool, Shift
from horae.population.sharing import share_out
from horae.types import Ints

WORD = re.compile(r"[a-z0-9']+")
LONGEST = 2**24  # characters of one field of a table


def by_owner() -> Partition:
    """Everybody holds what is their own."""
    partition: Partition = PARTITIONS["natural-id"]()
    return partition


def by_chance() -> Partition:
    """Samples that nobody owns, dealt out at random."""
    partition: Partition = PARTITIONS["iid"]()
    return partition


@dataclass(frozen=True)
class Sharing:
    """How what a reader found becomes clients, see `share_out`.

    clients: how many; 0: as many as the data have. samples_per_client: at most so many of each, drawn by seed; 0: all.
    test_fraction: kept for testing, where the publisher set nothing aside.
    """

    clients: int = 0
    samples_per_client: int = 0
    test_fraction: float = 0.2
    partition: Partition = field(default_factory=by_owner)
    shifts: tuple[Shift, ...] = ()

    def __post_init__(self) -> None:
        require(self.clients >= 0, "population.clients", "be >= 0", self.clients, "0 is as many as the data have")
        most = self.samples_per_client
        require(most >= 0, "population.samples_per_client", "be >= 0", most, "0 is all")
        share = self.test_fraction
        require(0 <= share < 1, "population.test_fraction", "be in [0, 1)", share)

    def people(self, pool: Pool, name: str, seed: int) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        return share_out(
            pool,
            self.partition,
            self.shifts,
            name=name,
            clients=self.clients,
            test_fraction=self.test_fraction,
            seed=seed,
            samples_per_client=self.samples_per_client,
        )


def wrong(path: Path, why: str, row: object = None) -> DataError:
    """What to raise of a file, and of a row of it: `row` is a line's number or a user's name."""
    place = "" if row is None else f", row {one_line(row, 40)}"
    return DataError(f"{one_line(path, 160)}{place}: {why}")


def first_missing(paths: Iterable[Path], holds: str) -> str | None:
    """What to put where, for the first of these that is not there, in one line; None if all are."""
    for path in paths:
        try:
            there = path.exists()
        except OSError:  # behind a door that is closed to us
            there = False
        if not there:
            why = f"{one_line(path, 160)} is missing; put {holds} there"
            return f"{why}, or name its directory with --data-root or HORAE_DATA"
    return None


def insist(missing: str | None) -> None:
    """Refuse to go on where something is missing: raises DataError."""
    if missing is not None:
        raise DataError(missing)


def rows_of(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a table of text with the line each ends on; the header is one of them. Errors: DataError."""
    before = csv.field_size_limit(LONGEST)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise wrong(path, f"cannot be read as a table of text ({one_line(error, 80)}); fetch it again") from None
    finally:
        csv.field_size_limit(before)


def whole(text: str, path: Path, row: object, end: int, what: str = "label") -> int:
    """A number in [0, end) from a table. Errors: DataError."""
    try:
        value = int(text)
    except ValueError:
        raise wrong(path, f"{what} should be a whole number, got {brief(text, 40)}", row) from None
    if not 0 <= value < end:
        raise wrong(path, f"{what} should lie in [0, {end}), got {value}", row)
    return value


def numbered(names: Sequence[Any]) -> Ints:
    """Names as numbers from 0 on, in order of first appearance.

    >>> numbered(["b", "a", "b"])
    array([0, 1, 0])
    """
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


def common_labels(y: Ints, counted: NDArray[np.bool_], most: int) -> tuple[NDArray[np.bool_], Ints]:
    """The samples that have one of the `most` commonest labels among those counted, and labels numbered anew.

    Ties go to the lower label; the labels that are kept stay in their order. Source: Auxo's OpenImage-Easy has the 60
    commonest of 596. Reading: commonest among training samples.

    >>> common_labels(np.array([5, 2, 2, 9, 9, 5]), np.array([1, 1, 1, 1, 1, 0], bool), 2)[1]
    array([0, 0, 1, 1])
    """
    counts = np.bincount(y[counted], minlength=int(y.max()) + 1)
    ranked = np.argsort(-counts, kind="stable")[:most]
    kept = np.sort(ranked[counts[ranked] > 0])
    there = np.isin(y, kept)
    return there, np.searchsorted(kept, y[there]).astype(np.int64)


def bags(texts: Iterable[str], features: int, width: int) -> NDArray[np.int32]:
    """Texts as bags of hashed words `(texts, width)`: feature numbers in [1, features), 0 where no word is left.

    A word is a run of letters, digits and apostrophes in small letters; the number is crc32(word) mod (features - 1)
    + 1. Of a longer text the first `width` words are kept.
    """
    known: dict[str, int] = {}
    rows: list[NDArray[np.int32]] = []
    for text in texts:
        row = np.zeros(width, np.int32)
        for at, word in enumerate(WORD.findall(text.lower())[:width]):
            number = known.get(word)
            if number is None:
                number = known[word] = zlib.crc32(word.encode()) % (features - 1) + 1
            row[at] = number
        rows.append(row)
    return np.stack(rows) if rows else np.zeros((0, width), np.int32)


def check_bags(features: int, width: int) -> None:
    """Refuse sizes that no text fits in. Errors: ConfigError."""
    require(2 <= features <= 2**24, "population.features", "be in [2, 16777216]", features)
    require(1 <= width <= 2**16, "population.width", "be in [1, 65536]", width)
