"""What a worker keeps of what it has read: a few models, and never more bytes than that."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from horae.types import Arrays, Ref

FEWEST, MOST = 2**26, 64  # bytes that are kept in any case; objects, for each may hold a file open


@dataclass
class Cache:
    """Arrays by name and checksum, least recently used first out; room for two of the largest."""

    held: OrderedDict[tuple[str, int], tuple[Arrays, int]] = field(default_factory=OrderedDict)
    nbytes: int = 0
    most: int = FEWEST
    lock: Lock = field(default_factory=Lock)

    def find(self, ref: Ref) -> Arrays | None:
        """The arrays, if they are here."""
        with self.lock:
            found = self.held.get((ref.key, ref.checksum))
            if found:
                self.held.move_to_end((ref.key, ref.checksum))
            return dict(found[0]) if found else None

    def keep(self, ref: Ref, arrays: Arrays) -> None:
        """Remember them, and forget the oldest where there is no room."""
        with self.lock:
            self._drop((ref.key, ref.checksum))
            self.held[ref.key, ref.checksum] = (dict(arrays), ref.nbytes)
            self.nbytes += ref.nbytes
            self.most = max(self.most, 2 * ref.nbytes)
            while self.nbytes > self.most or len(self.held) > MOST:
                self._drop(next(iter(self.held)))

    def forget(self, key: str) -> None:
        """Nothing of that key is remembered any more; an empty key: nothing at all."""
        with self.lock:
            for name in [name for name in self.held if key in ("", name[0])]:
                self._drop(name)

    def _drop(self, name: tuple[str, int]) -> None:
        if name in self.held:
            self.nbytes -= self.held.pop(name)[1]
