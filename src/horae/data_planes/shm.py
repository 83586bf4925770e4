"""Arrays as files in memory that all processes of this host read in place."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import secrets
import shutil
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from horae.data_planes.coding import Part
from horae.data_planes.shared import Opened, Shared
from horae.errors import ConfigError, PlaneError
from horae.files import LOCK, PART

MEMORY = Path("/dev/shm")
RUN, SMALL = "horae-", 2**20  # fewer bytes are read and not mapped: a map holds its file open


@dataclass(frozen=True)
class Shm(Shared):
    """Files in /dev/shm, written whole and read by mapping them: a model lies in memory once, however many read it.

    directory: another place, such as a disk that several hosts share; "" is /dev/shm. A run has a directory of its own
    there, which is gone when the run ends; what a killed run left is removed by the next.
    """

    directory: str = ""
    opened: Opened = field(default_factory=Opened, init=False, repr=False, compare=False)

    def reach(self) -> Folder:
        """A new directory for this run."""
        parent = Path(self.directory or MEMORY).absolute()
        try:
            if self.directory:
                parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(parent)
            return Folder.made(parent)
        except OSError as error:
            raise ConfigError(
                f"data_plane.directory: cannot write to {parent}: {error.strerror}; choose another directory"
            ) from None


class Folder:
    """A directory with one file for each key; `.lock` is held by its owner as long as that lives."""

    listed = True

    def __init__(self, directory: Path, lock: int | None = None) -> None:
        self.directory, self.address, self.owned = directory, f"shm:{directory}", lock is not None
        self._end = None if lock is None else weakref.finalize(self, _removed, directory, lock, os.getpid())

    @classmethod
    def made(cls, parent: Path) -> Folder:
        """A new one, locked before anybody can see it under its name."""
        name = f"{RUN}{os.getpid()}-{secrets.token_hex(4)}"
        hidden = parent / f".{name}"
        hidden.mkdir()
        lock = _locked(hidden)
        os.rename(hidden, parent / name)
        return cls(parent / name, lock)

    @classmethod
    def found(cls, directory: str) -> Folder:
        """One that another process made. Errors: PlaneError."""
        if not Path(directory).is_dir():
            raise PlaneError("unreachable", "", f"there is no {directory}; its run has ended, or is on another host")
        return cls(Path(directory))

    def write(self, key: str, parts: list[Part]) -> None:
        """Beside the name first, then under it."""
        file = self.directory / key
        part = file.with_name(file.name + PART)
        try:
            with part.open("wb") as out:
                for piece in parts:
                    out.write(piece)
            os.replace(part, file)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError):
                raise PlaneError("unreachable", key, f"{self.directory} is gone; its run has ended") from None
            raise _failed(key, error) from None

    def read(self, key: str, timeout_s: float) -> Any:
        """The file's bytes, mapped read-only; they stay readable when the file is evicted."""
        try:
            with (self.directory / key).open("rb") as file:
                if os.fstat(file.fileno()).st_size < SMALL:
                    return file.read()
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            raise _failed(key, error) from None

    def delete(self, key: str) -> None:
        """The file, and what was left half written."""
        for name in (key, key + PART):
            with suppress(OSError):
                (self.directory / name).unlink(missing_ok=True)

    def names(self, known: Iterable[str]) -> list[str]:
        """All files but the lock and those being written."""
        try:
            found = os.listdir(self.directory)
        except OSError as error:
            raise PlaneError("unreachable", "", f"{self.directory}: {error.strerror}") from None
        return [name for name in found if name != LOCK and not name.endswith(PART)]

    def close(self) -> None:
        """The owner removes the directory."""
        if self._end:
            self._end()


def remove_abandoned(parent: Path) -> None:
    """Remove directories of runs that were killed: nobody holds their locks."""
    for directory in parent.glob(f"{RUN}*-*"):
        if (directory / LOCK).is_file() and os.access(directory, os.W_OK):
            with suppress(OSError):
                _removed(directory, _locked(directory), os.getpid())


def _locked(directory: Path) -> int:
    """Hold the directory until this process and those it forked are gone, whatever ends them. Errors: OSError if held.

    flock and not a FileLock: that lets go for all when a forked child forgets its copy.
    """
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _removed(directory: Path, lock: int, owner: int) -> None:
    """Remove a run's directory, unless this is a forked child of its owner."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _failed(key: str, error: OSError) -> PlaneError:
    if isinstance(error, FileNotFoundError):
        return PlaneError("missing", key, "it was evicted, or its run has ended")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return PlaneError("full", key, f"{error.strerror}; make room, or set data_plane.directory to a larger disk")
    return PlaneError("unreachable", key, error.strerror or str(error))
