"""Files that are decoded once, into an array that is mapped from the disk ever after."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from horae.errors import DataError, one_line
from horae.population.files import data_directory

NAME = ".horae-cache"
LAYOUT = 1  # changes when the same files are decoded to other numbers


def key_of(options: dict[str, Any], parts: Iterable[bytes]) -> str:
    """The name of what was decoded from these parts with these options."""
    said = json.dumps({"layout": LAYOUT, **options}, sort_keys=True)
    digest = hashlib.sha256(said.encode())
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]


def decoded(
    data_root: Path | None,
    key: str,
    shape: Sequence[int],
    dtype: Any,
    rows: Sequence[Any],
    decode: Callable[[Any], NDArray[Any]],
) -> NDArray[Any]:
    """`decode(row)` of every row, `(rows, *shape)`, mapped from `.horae-cache/<key>/x.npy` below the data directory.

    Decoded if it is not there yet, by one process at a time; what a killed one leaves behind is thrown away. Writing
    into the array changes a copy in memory. Errors: DataError, and those of `decode`.
    """
    directory, full = data_directory(data_root) / NAME / key, (len(rows), *shape)
    try:
        there = _mapped(directory / "x.npy", full, dtype)
        if there is not None:
            return there
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / ".lock"):
            there = _mapped(directory / "x.npy", full, dtype)
            if there is None:
                _fill(directory / "x.npy", full, dtype, rows, decode)
                there = _mapped(directory / "x.npy", full, dtype)
    except OSError as error:
        why = error.strerror or one_line(error, 80)
        raise DataError(
            f"cannot keep decoded samples in {one_line(directory)}: {why}; make room, or name another data directory"
        ) from None
    if there is None:
        raise DataError(f"{one_line(directory)} was changed while it was written; run it again")
    return there


def _mapped(file: Path, shape: tuple[int, ...], dtype: Any) -> NDArray[Any] | None:
    """The array, if it is there, whole and what it should be."""
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="c", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.dtype(dtype) else None


def _fill(file: Path, shape: tuple[int, ...], dtype: Any, rows: Sequence[Any], decode: Callable[[Any], Any]) -> None:
    for old in file.parent.glob("*.part"):
        old.unlink(missing_ok=True)
    part = file.with_name(f"x.{os.getpid()}.part")
    console = Console(stderr=True)
    try:
        array = np.lib.format.open_memmap(part, "w+", np.dtype(dtype), shape)
        for i, row in enumerate(
            track(rows, "decoding", console=console, transient=True, disable=not console.is_terminal)
        ):
            array[i] = decode(row)
        array.flush()
        del array
        os.replace(part, file)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
