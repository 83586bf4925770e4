"""A worker's side of a plane: found by its address, and kept for as long as the process lives."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from threading import Lock

from horae.data_planes.cache import Cache
from horae.data_planes.inline import here
from horae.data_planes.proxystore import SCHEME, found
from horae.data_planes.shared import Depot, Opened, Shared
from horae.data_planes.shm import Folder
from horae.errors import PlaneError, one_line
from horae.types import DataPlane

_MOST = 4  # planes that a process remembers: one for each run it works for
_KNOWN: dict[tuple[int, str], Attached] = {}
_LOCK = Lock()


def _begun() -> Opened:
    """With a cache, and a tag of this process's own."""
    return Opened(cache=Cache(), tag=f"{secrets.token_hex(4)}-")


@dataclass(frozen=True)
class Attached(Shared):
    """Another process's plane. What is read is kept, read-only, within bounds; closing leaves the objects there."""

    to: str
    opened: Opened = field(default_factory=_begun, init=False, repr=False, compare=False)

    def reach(self) -> Depot:
        """What the address says."""
        return Folder.found(self.to.removeprefix("shm:")) if self.to.startswith("shm:") else found(self.to)


def attach(address: str) -> DataPlane:
    """The plane of that address, as any process of this host, or of another, reaches it. Errors: PlaneError.

    The same object for the same address, so that a process reads a model once.
    """
    if address.startswith("inline:"):
        return here(address)
    if not address.startswith(("shm:", SCHEME)):
        raise PlaneError("unreachable", "", f"no plane has the address {one_line(address, 60)!r}")
    name = (os.getpid(), address)  # a forked child opens its own connections
    with _LOCK:
        plane = _KNOWN.pop(name, None) or Attached(address)
        _KNOWN[name] = plane
        old = [_KNOWN.pop(next(iter(_KNOWN))) for _ in range(len(_KNOWN) - _MOST)]
    for other in old:
        other.close()
    return plane
