"""Room for updates that is used again, and that other processes can write into.

Fresh memory for the updates of every round would cost as much as training small models does.
"""

from __future__ import annotations

import itertools
import mmap
import os
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from horae.types import Floats

MAPPED = 8  # pieces that a worker keeps open

_numbers = itertools.count()


class Piece:
    """Some memory: this process's own, or shared with others under a name."""

    def __init__(self, nbytes: int, *, shared: bool) -> None:
        self.nbytes, self._file = nbytes, -1
        self.name: tuple[str, int] | None = None
        if shared and hasattr(os, "memfd_create"):
            self._file = os.memfd_create("horae-updates", os.MFD_CLOEXEC)
            os.ftruncate(self._file, nbytes)
            self.buffer = memoryview(mmap.mmap(self._file, nbytes))
            self.name = (f"/proc/{os.getpid()}/fd/{self._file}", next(_numbers))
        else:
            self.buffer = np.empty(nbytes, np.uint8).data

    def close(self) -> None:
        """Nobody finds it any more; who looks at it already may go on."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@dataclass
class Arena:
    """Hands out arrays; a piece of memory is used again once nobody holds its array any more.

    shared: other processes can open the pieces by name, where the system can do that (Linux).
    """

    shared: bool = False
    _free: list[Piece] = field(default_factory=list, init=False, repr=False)
    _all: list[Piece] = field(default_factory=list, init=False, repr=False)

    def take(self, rows: int, columns: int) -> tuple[Floats, tuple[str, int] | None]:
        """An array `(rows, columns)` with anything in it, and the name under which other processes find it, if any."""
        nbytes = max(4 * rows * columns, 4)
        piece = next((piece for piece in self._free if piece.nbytes >= nbytes), None)
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


_open: OrderedDict[tuple[str, int], mmap.mmap] = OrderedDict()


def opened(name: tuple[str, int], rows: int, columns: int) -> Floats:
    """In another process: the array of that name."""
    if name not in _open:
        with open(name[0], "r+b") as file:
            _open[name] = mmap.mmap(file.fileno(), 0)
        while len(_open) > MAPPED:
            _open.popitem(last=False)
    return np.frombuffer(_open[name], np.float32, rows * columns).reshape(rows, columns)
