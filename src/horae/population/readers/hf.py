"""A Hugging Face data set that was saved on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from horae.errors import DataError, one_line
from horae.population.base import Population
from horae.population.files import located
from horae.population.readers.arrays import pool_of
from horae.population.readers.common import Sharing, first_missing, insist, wrong


@dataclass(frozen=True)
class HuggingFace(Sharing):
    """What `datasets.Dataset.save_to_disk` (or DatasetDict's) left in a directory; nothing is fetched.

    directory: below the data directory. x, y, client: its columns: numbers, images of one size, or texts (hashed bags
    of words); labels; whose a sample is. Of several splits, "test" is set aside for testing and the others are trained
    on. Needs the package `datasets`.
    """

    directory: str = "hf"
    x: str = "image"
    y: str = "label"
    client: str = "client_id"

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([located(data_root, self.directory)], "what datasets' save_to_disk wrote")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        path = located(data_root, self.directory)
        try:
            from datasets import load_from_disk
        except ImportError:
            raise DataError(f"reading {one_line(path, 120)} needs datasets: pip install datasets") from None
        try:
            saved = load_from_disk(str(path))
        except Exception as error:  # somebody else's words for a broken directory
            raise wrong(path, f"is no data set that save_to_disk left ({one_line(error, 100)})") from None
        splits = dict(saved) if isinstance(saved, dict) else {"train": saved}
        columns = [self._columns(path, split) for split in splits.values()]
        xs, ys, who = ([item for part in columns for item in part[i]] for i in range(3))
        tested = np.repeat([name == "test" for name in splits], [len(part[1]) for part in columns])
        pool = pool_of(xs, ys, who, one_line(path, 160), tested=tested if tested.any() else None)
        return self.people(pool, path.name, seed)

    def _columns(self, path: Path, split: Any) -> tuple[list[Any], list[Any], list[Any]]:
        for name in (self.x, self.y, self.client):
            if name not in split.column_names:
                found = one_line(", ".join(split.column_names), 80)
                raise wrong(path, f"has no column {name!r}, but {found}; set x, y and client")
        inputs = [item if isinstance(item, str) else np.asarray(item) for item in split[self.x]]
        inputs = [_planes(item) if _colour(item) else item for item in inputs]
        return inputs, list(split[self.y]), list(split[self.client])


def _colour(item: Any) -> bool:
    """True for a picture whose colours come last, as PIL has it."""
    return not isinstance(item, str) and item.dtype == np.uint8 and item.ndim == 3 and item.shape[2] in (3, 4)


def _planes(item: Any) -> Any:
    return np.moveaxis(item[..., :3], 2, 0)
