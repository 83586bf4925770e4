"""Tables with a client column: npz and Parquet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from horae.errors import DataError, one_line, require
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.arrays import pool_of
from horae.population.readers.common import Sharing, first_missing, insist, wrong

Columns = dict[str, Any]


@dataclass(frozen=True)
class Table(Sharing):
    """An .npz or .parquet file with samples, labels and whose they are.

    file: below the data directory. x, y, client: the names of its arrays or columns; x may name several columns of
    numbers, "age,height", or one of lists. tested: a column that is true for samples set aside for testing, "" for
    none. task: "auto" is regression where y are not whole. scale: what a whole number of x stands for; 0: bytes are
    parts of 1 / 255, others are tokens.
    """

    file: str = "table.npz"
    x: str = "x"
    y: str = "y"
    client: str = "client"
    tested: str = ""
    task: Literal["auto", "classification", "regression", "next-token"] = "auto"
    scale: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = self.file.endswith((".npz", ".parquet"))
        require(kinds, "population.file", "end in .npz or .parquet", self.file)
        require(self.scale >= 0, "population.scale", "be >= 0", self.scale)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([located(data_root, self.file)], f"a table with {self.x}, {self.y} and {self.client}")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        path = located(data_root, self.file)
        names = [*self.x.split(","), self.y, self.client, *([self.tested] if self.tested else [])]
        held = _npz(path, names) if path.suffix == ".npz" else _parquet(path, names)
        several = [held[name] for name in self.x.split(",")]
        x = several[0] if len(several) == 1 else np.stack(several, axis=1)
        task = "" if self.task == "auto" else self.task
        where = one_line(path, 160)
        tested = held[self.tested] if self.tested else None
        pool = pool_of(x, held[self.y], held[self.client], where, task=task, tested=tested)
        return self.people(self._scaled(pool), path.stem, seed)

    def _scaled(self, pool: Pool) -> Pool:
        return replace(pool, scale=self.scale) if self.scale and pool.x.dtype.kind in "iu" else pool


def _npz(path: Path, names: list[str]) -> Columns:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = list(file.files)
            held = {name: file[name] for name in names if name in found}
    except Exception as error:  # numpy, zipfile and zlib each have their own words for a broken file
        raise wrong(path, f"is no npz of plain arrays that can be read ({one_line(error, 80)})") from None
    return _whole(path, names, held, found)


def _parquet(path: Path, names: list[str]) -> Columns:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(f'reading {one_line(path, 120)} needs pyarrow: pip install "horae[parquet]"') from None
    try:
        with pq.ParquetFile(path) as file:
            found = list(file.schema_arrow.names)
            table = file.read(columns=[name for name in names if name in found])
    except Exception as error:  # pyarrow has a dozen words for a broken file
        raise wrong(path, f"is no Parquet file that can be read ({one_line(error, 80)})") from None
    held = {name: _column(path, name, table.column(name)) for name in dict.fromkeys(names) if name in found}
    return _whole(path, names, held, found)


def _column(path: Path, name: str, column: Any) -> Any:
    """A column as an array; one of lists has a second axis."""
    if not str(column.type).startswith(("list", "fixed_size_list", "large_list")):
        return column.to_numpy()
    try:
        return np.array(column.to_pylist())
    except ValueError:
        raise wrong(path, f"{name} should hold lists of one length") from None


def _whole(path: Path, names: list[str], held: Columns, found: list[str]) -> Columns:
    for name in names:
        if name not in held:
            raise wrong(path, f"has no {name!r}, but {one_line(', '.join(found), 80)}; set x, y and client")
        if np.ndim(held[name]) == 0:
            raise wrong(path, f"{name} should be an array, got a single value")
    sizes = {name: len(held[name]) for name in names}
    if len(set(sizes.values())) > 1:
        raise wrong(path, f"should hold columns of one length, got {one_line(sizes, 80)}")
    return held
