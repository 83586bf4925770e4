"""Arrays stay in this process."""

from __future__ import annotations

import itertools
import math
import time
import weakref
from dataclasses import dataclass, field
from threading import RLock

from horae.errors import PlaneError
from horae.types import Arrays, Path, Ref

_HERE: weakref.WeakValueDictionary[str, Inline] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count(1)


@dataclass(eq=False)
class Drawer:
    """What an Inline holds; a copy of it, or what is pickled, is empty."""

    held: dict[str, Arrays] = field(default_factory=dict)
    expires_s: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("puts", "gets", "evicted"), 0))
    named: int = 0
    address: str = ""
    lock: RLock = field(default_factory=RLock)

    def __reduce__(self) -> tuple[type[Drawer], tuple[()]]:
        return Drawer, ()

    def __deepcopy__(self, memo: object) -> Drawer:
        return Drawer()


@dataclass(frozen=True)
class Inline:
    """A dictionary in memory: the data plane of a simulation in one process. Other processes cannot reach it."""

    drawer: Drawer = field(default_factory=Drawer, init=False, repr=False, compare=False)

    @property
    def address(self) -> str:
        """Threads of this process reach it."""
        with self.drawer.lock:
            self.drawer.address = self.drawer.address or f"inline:{next(_NUMBERS)}"
            _HERE[self.drawer.address] = self
        return self.drawer.address

    def put(self, arrays: Arrays, owner: Path) -> Ref:
        """Keep the arrays, write-protected, and hand back their name."""
        return self.put_as(self.reserve(owner, "model"), arrays)

    def reserve(self, owner: Path, what: str, lease_s: float = math.inf) -> str:
        """A new key: the owner, what it is for, and a number."""
        with self.drawer.lock:
            self.drawer.named += 1
            key = f"{'.'.join(map(str, owner)) or 'root'}-{what}-{self.drawer.named}"
            self.drawer.expires_s[key] = time.monotonic() + lease_s
        return key

    def put_as(self, key: str, arrays: Arrays) -> Ref:
        """Keep the arrays, write-protected, under this key."""
        views = {name: array.view() for name, array in arrays.items()}
        for view in views.values():
            view.flags.writeable = False
        with self.drawer.lock:
            self.drawer.held[key] = views
            self.drawer.counts["puts"] += 1
        return Ref(key, sum(view.nbytes for view in views.values()))

    def get(self, ref: Ref, timeout_s: float = 60.0) -> Arrays:
        """The arrays of that name."""
        with self.drawer.lock:
            self.drawer.counts["gets"] += 1
            found = self.drawer.held.get(ref.key)
        if found is None:
            raise PlaneError("missing", ref.key, "it was evicted, or its run has ended")
        return dict(found)

    def evict(self, ref: Ref | str) -> None:
        """Forget them; doing so twice is no error."""
        key = ref if isinstance(ref, str) else ref.key
        with self.drawer.lock:
            self.drawer.expires_s.pop(key, None)
            self.drawer.held.pop(key, None)
            self.drawer.counts["evicted"] += 1

    def keys(self) -> list[str]:
        """What is held now, in order."""
        with self.drawer.lock:
            return sorted(self.drawer.held)

    def sweep(self) -> int:
        """Evict what nobody waits for; how many objects went."""
        now_s = time.monotonic()
        gone = [key for key in self.keys() if self.drawer.expires_s.get(key, -math.inf) < now_s]
        for key in gone:
            self.evict(key)
        return len(gone)

    def stats(self) -> dict[str, int]:
        """Objects and bytes held now, and how often was put, got and evicted."""
        with self.drawer.lock:
            nbytes = sum(array.nbytes for arrays in self.drawer.held.values() for array in arrays.values())
            return {"objects": len(self.drawer.held), "nbytes": nbytes, **self.drawer.counts}

    def close(self) -> None:
        """Forget everything."""
        with self.drawer.lock:
            self.drawer.held.clear()
            self.drawer.expires_s.clear()


def here(address: str) -> Inline:
    """The plane of that address in this process. Errors: PlaneError."""
    found = _HERE.get(address)
    if found is None:
        raise PlaneError("unreachable", "", 'an inline plane has no other processes; take data_plane.name = "shm"')
    return found
