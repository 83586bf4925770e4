"""Which directories below a place hold runs. Links are not followed, so that nothing outside the place is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from horae.errors import RunError, one_line

LOG, SETTINGS, SUMMARY, LOCK = "events.jsonl", "experiment.toml", "summary.json", ".lock"
MARKS = (LOG, SETTINGS, SUMMARY, "checkpoints")
DEEPEST, MOST_RUNS, MOST_PLACES = 5, 300, 5_000
MOST_BYTES = 2**22  # of a summary or an experiment


@dataclass(frozen=True)
class Found:
    """runs: directories by their paths below the place, the one written last first. others: directories that hold none.
    more: not all are among them.
    """

    runs: dict[str, Path]
    others: list[str]
    more: bool = False


def find(root: Path) -> Found:
    """The runs in a directory, or the directory itself if it is one. Errors: RunError where there is none."""
    root = root.resolve()
    if not root.is_dir():
        raise RunError(f"there is no directory {one_line(root, 160)}; name the one that holds runs")
    if _marks(root):
        return Found({".": root}, [])
    runs: dict[str, Path] = {}
    others: list[str] = []
    left = [MOST_PLACES]
    for directory in _directories(root, left):
        inside = dict(_runs(directory, root, DEEPEST - 1, left))
        runs |= inside
        if not inside:
            others.append(directory.name)
    newest = sorted(runs.items(), key=lambda pair: _written(pair[1]), reverse=True)
    return Found(dict(newest[:MOST_RUNS]), others, len(runs) > MOST_RUNS or left[0] <= 0)


def _written(directory: Path) -> float:
    """When a run was last written to, by its log."""
    for place in (directory / LOG, directory):
        with suppress(OSError):
            return place.stat().st_mtime
    return 0.0


def _runs(directory: Path, root: Path, deeper: int, left: list[int]) -> Iterator[tuple[str, Path]]:
    """The runs in and below a directory. left: how many directories may still be looked at."""
    if _marks(directory):
        yield directory.relative_to(root).as_posix(), directory
    elif deeper:
        for child in _directories(directory, left):
            yield from _runs(child, root, deeper - 1, left)


def _marks(directory: Path) -> bool:
    return any(os.path.lexists(directory / mark) for mark in MARKS)


def _directories(directory: Path, left: list[int]) -> list[Path]:
    """The directories in one, neither hidden nor links, by name; an unreadable one has none."""
    try:
        with os.scandir(directory) as entries:
            names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
    except OSError:
        return []
    names = names[: max(left[0], 0)]
    left[0] -= len(names)
    return [directory / name for name in names]


@contextmanager
def opened(file: Path, shown: str) -> Iterator[BinaryIO]:
    """An ordinary file, to be read: no link, pipe or device. Errors: RunError."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(file, flags)
    except FileNotFoundError:
        raise RunError(f"there is no {one_line(shown, 160)}") from None
    except OSError as error:
        why = "it is a link" if file.is_symlink() else error.strerror
        raise RunError(f"cannot read {one_line(shown, 160)}: {why}") from None
    with os.fdopen(handle, "rb") as lines:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise RunError(f"{one_line(shown, 160)} is not a file")
        yield lines


def read_small(file: Path, shown: str) -> str:
    """The text of a file that is never large. Errors: RunError."""
    with opened(file, shown) as lines:
        data = lines.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise RunError(f"{one_line(shown, 160)} is larger than {MOST_BYTES:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RunError(f"{one_line(shown, 160)} is no text in UTF-8 (byte {error.start})") from None


def check_ordinary(directory: Path, shown: str) -> None:
    """Refuse a run whose files lie elsewhere, by links. Errors: RunError."""
    for place, name in ((directory, shown), (directory / "baseline", f"{shown}/baseline")):
        if place.is_symlink():
            raise RunError(f"{one_line(name, 160)} is a link")
        for mark in (LOG, SETTINGS, SUMMARY):
            if (place / mark).exists() or (place / mark).is_symlink():
                with opened(place / mark, f"{name}/{mark}"):
                    pass


def locks() -> set[str] | None:
    """The numbers of all files that are locked, from the kernel's list; None where there is no such list.

    No lock is taken: a look must not keep a run from beginning.
    """
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    places = (part for line in lines if "->" not in line for part in line.split() if part.count(":") == 2)
    return {place.rpartition(":")[2] for place in places}


def is_locked(directory: Path, held: set[str] | None) -> bool:
    """Whether a run holds a directory, as far as can be seen. held: from `locks`."""
    try:
        return held is not None and str((directory / LOCK).stat().st_ino) in held
    except OSError:
        return False
