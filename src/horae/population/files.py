"""Where data sets lie."""

from __future__ import annotations

import os
import pathlib

from horae.errors import DataError, one_line


def data_directory(data_root: pathlib.Path | None) -> pathlib.Path:
    """`data_root`, else $HORAE_DATA, else ~/.cache/horae. Errors: DataError."""
    try:
        root = data_root or os.environ.get("HORAE_DATA") or pathlib.Path.home() / ".cache" / "horae"
        return pathlib.Path(root).expanduser()
    except RuntimeError as error:  # ~somebody, and there is no such person
        raise DataError(f"{error}; name the directory of the data with --data-root or HORAE_DATA") from None


def located(data_root: pathlib.Path | None, name: str) -> pathlib.Path:
    """A file or directory by its absolute path, or below the data directory, whether it is there or not."""
    given = pathlib.Path(name).expanduser()
    return given if given.is_absolute() else data_directory(data_root) / given


def absent(path: pathlib.Path) -> str | None:
    """Why nothing can be read there, in one line, or None if something can."""
    try:
        if path.exists():
            return None
    except OSError:  # behind a door that is closed to us
        pass
    return f"{one_line(path)} is missing; put it there, or name its directory with --data-root or HORAE_DATA"
