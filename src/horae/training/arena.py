"""Room for updates that is used again, and that other processes can write into.

Fresh memory for the updates of every round would cost as much as training small models does.
"""

from __future__ import annotations

import itertools
import mmap
import os
import tempfile
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from horae.errors import NoRoom
from horae.types import Floats

MAPPED = 8  # pieces that a worker keeps open

_numbers = itertools.count()


class Piece:
    """Some memory: this process's own, or shared with others under a name; a file without a name if it is too much."""

    def __init__(self, nbytes: int, *, shared: bool) -> None:
        self.nbytes, self._file = nbytes, -1
        self.name: tuple[str, int] | None = None
        named = hasattr(os, "memfd_create")  # Linux: /proc leads to what has no name
        if nbytes > _at_hand() // 2:
            self._file = _spilled(nbytes)
        elif shared and named:
            self._file = os.memfd_create("horae-updates", os.MFD_CLOEXEC)
            os.ftruncate(self._file, nbytes)
        if self._file < 0:
            self.buffer = np.empty(nbytes, np.uint8).data
            return
        self.buffer = memoryview(mmap.mmap(self._file, nbytes))
        if named:
            self.name = (f"/proc/{os.getpid()}/fd/{self._file}", next(_numbers))

    def close(self) -> None:
        """Nobody finds it any more; who looks at it already may go on."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@dataclass
class Arena:
    """Hands out arrays; a piece of memory is used again once nobody holds its array any more.

    shared: other processes can open the pieces by name, where the system can do that (Linux). What would take more
    than half of the memory that is free lies in a file: 200 updates of ten million floats are 8 GB.
    """

    shared: bool = False
    _free: list[Piece] = field(default_factory=list, init=False, repr=False)
    _all: list[Piece] = field(default_factory=list, init=False, repr=False)

    def take(self, rows: int, columns: int) -> tuple[Floats, tuple[str, int] | None]:
        """An array `(rows, columns)` with anything in it, and the name under which other processes find it, if any."""
        nbytes = max(4 * rows * columns, 4)
        fits = (piece for piece in self._free if piece.nbytes >= nbytes)
        piece = min(fits, key=lambda piece: piece.nbytes, default=None)
        if piece is None:
            for small in self._free:
                small.close()
                self._all.remove(small)
            self._free.clear()
            piece = Piece(nbytes, shared=self.shared)
            self._all.append(piece)
        else:
            self._free.remove(piece)
        flat: Floats = np.frombuffer(piece.buffer, np.float32, rows * columns)
        weakref.finalize(flat, self._free.append, piece).atexit = False  # every view of it holds `flat`
        return flat.reshape(rows, columns), piece.name

    def close(self) -> None:
        """Give everything back; arrays that are still held stay good."""
        for piece in self._all:
            piece.close()
        self._all, self._free = [], []


def _at_hand() -> int:
    """Bytes of memory that are free now; where the system does not say, as many as anybody wants."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2**63


def _spilled(nbytes: int) -> int:
    """A file in TMPDIR that is gone when it is closed, all its room claimed; the system keeps in memory what fits."""
    with tempfile.TemporaryFile(prefix="horae-updates-") as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, nbytes)
            else:
                os.ftruncate(file.fileno(), nbytes)
        except OSError as error:
            room = (
                f"{nbytes / 2**30:.1f} GiB for a round's updates are neither in memory nor in {tempfile.gettempdir()}"
            )
            why = error.strerror or "no room"
            raise NoRoom(f"{room} ({why}); lower participants, or set TMPDIR to a larger disk") from None
        return os.dup(file.fileno())


_open: OrderedDict[tuple[str, int], mmap.mmap] = OrderedDict()


def opened(name: tuple[str, int], rows: int, columns: int) -> Floats:
    """In another process: the array of that name."""
    if name not in _open:
        with open(name[0], "r+b") as file:
            _open[name] = mmap.mmap(file.fileno(), 0)
        while len(_open) > MAPPED:
            _open.popitem(last=False)
    return np.frombuffer(_open[name], np.float32, rows * columns).reshape(rows, columns)
