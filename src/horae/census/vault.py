"""Where a site keeps its members' keys between messages: they never leave it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from horae.errors import RunError
from horae.files import unwritable

AGE_S = 6 * 3600.0  # after which the secrets of an attempt that was never ended are removed
LEFT_S = 7 * 86400.0  # after which a killed run's members are removed
ATTEMPT = ".attempt"  # the ending of their names
PATIENCE_S = 60.0
PRIVATE = 0o700


class Vault(Protocol):
    """A site's own bytes by name."""

    def alone(self) -> AbstractContextManager[object]:
        """For one at a time; secrets that are too old are removed first."""

    def read(self, name: str) -> bytes:
        """Empty where there is nothing."""

    def write(self, name: str, data: bytes) -> None:
        """The old one or the new one is there, whatever happens."""

    def drop(self, name: str) -> None:
        """As if it had never been there."""


class Held:
    """In the process's memory, or wherever else these items are kept."""

    def __init__(self, items: MutableMapping[str, bytes]) -> None:
        self.items = items

    @contextmanager
    def alone(self) -> Iterator[Held]:
        """Whoever has the items has them alone."""
        yield self

    def read(self, name: str) -> bytes:
        """Empty where there is nothing."""
        return self.items.get(name, b"")

    def write(self, name: str, data: bytes) -> None:
        """In place of what was there."""
        self.items[name] = data

    def drop(self, name: str) -> None:
        """As if it had never been there."""
        self.items.pop(name, None)


class Folder:
    """A directory that only its owner can look into. Errors: RunError."""

    def __init__(self, place: Path) -> None:
        self._place = place
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                place.mkdir(PRIVATE)
            found = place.lstat()
        except OSError as error:
            raise unwritable(place, error) from None
        own = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
        if place.is_symlink() or not own:
            raise RunError(f"{place} should be a directory that only its owner can look into; remove it")

    @contextmanager
    def alone(self) -> Iterator[Folder]:
        """For one process at a time; secrets that are too old are removed first."""
        try:
            with FileLock(self._place / ".lock", PATIENCE_S):
                _expire(self._place)
                yield self
        except Timeout:
            raise RunError(f"another process has been using {self._place} for {PATIENCE_S:g} s") from None

    def read(self, name: str) -> bytes:
        """Empty where there is nothing."""
        try:
            return (self._place / name).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise RunError(f"cannot read {self._place / name}: {error.strerror}") from None

    def write(self, name: str, data: bytes) -> None:
        """Whole or not at all, for its owner's eyes only."""
        part = self._place / f"{name}.part"
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(data)
            os.replace(part, self._place / name)
        except OSError as error:
            raise unwritable(self._place / name, error) from None

    def drop(self, name: str) -> None:
        """Removed."""
        (self._place / name).unlink(missing_ok=True)


def temporary(run: bytes) -> Path:
    """Where processes of one user on one host find each other's members, for as long as a run lasts."""
    return Path(tempfile.gettempdir()) / f"{_mine()}{run.hex()}"


def remove(run: bytes) -> None:
    """The run is over: its members on this host are gone, and what killed runs have left here long ago."""
    shutil.rmtree(temporary(run), ignore_errors=True)
    for place in Path(tempfile.gettempdir()).glob(f"{_mine()}*"):
        with suppress(OSError):
            _expire(place)
            if time.time() - place.lstat().st_mtime > LEFT_S:
                shutil.rmtree(place, ignore_errors=True)


def _mine() -> str:
    return f"horae-census-{os.getuid() if hasattr(os, 'getuid') else 0}-"


def _expire(place: Path) -> None:
    """Remove secrets that are too old."""
    for file in place.glob(f"*{ATTEMPT}"):
        if time.time() - file.stat().st_mtime > AGE_S:
            file.unlink(missing_ok=True)
