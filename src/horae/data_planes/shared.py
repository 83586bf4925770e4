"""What all planes that other processes can reach have in common: names, leases, checksums, counts."""

from __future__ import annotations

import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Protocol

from horae.data_planes.cache import Cache
from horae.data_planes.coding import Part, checksum, decode, encode
from horae.errors import PlaneError, WireError
from horae.types import Arrays, Path, Ref

_ODD = re.compile(r"[^A-Za-z0-9_-]")
KEY = re.compile(r"[A-Za-z0-9_.-]{1,200}")


class Depot(Protocol):
    """Bytes by key, somewhere. Errors: PlaneError."""

    address: str
    listed: bool  # names() sees also what nobody here has heard of
    owned: bool  # it is this process that the objects belong to

    def write(self, key: str, parts: list[Part]) -> None:
        """Whole or not at all."""

    def read(self, key: str, timeout_s: float) -> Any:
        """The bytes."""

    def delete(self, key: str) -> None:
        """No error where nothing is."""

    def names(self, known: Iterable[str]) -> list[str]:
        """What is there; where a depot cannot be listed, which of the known."""

    def close(self) -> None:
        """Let go; the run's own process also takes away what is left."""


@dataclass
class Opened:
    """What a plane knows once it is in use. A copy, or what is pickled, knows nothing.

    tag: part of each key that is made here, so that no two processes make the same. expires_s: by key, until when
    somebody waits for it. late: keys evicted before anything was seen there. owed: keys evicted while the store did not
    answer.
    """

    depot: Depot | None = None
    cache: Cache | None = None
    tag: str = ""
    expires_s: dict[str, float] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)
    nbytes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("puts", "gets", "evicted"), 0))
    named: int = 0
    lock: RLock = field(default_factory=RLock)

    def __reduce__(self) -> tuple[type[Opened], tuple[()]]:
        return Opened, ()

    def __deepcopy__(self, memo: object) -> Opened:
        return Opened()

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1


class Shared(ABC):
    """A plane over a depot; it opens when it is first used."""

    opened: Opened

    @abstractmethod
    def reach(self) -> Depot:
        """The depot: made, or found."""

    @property
    def address(self) -> str:
        """How another process reaches it."""
        return self._depot().address

    def put(self, arrays: Arrays, owner: Path) -> Ref:
        """Write the arrays under a new key."""
        return self.put_as(self.reserve(owner, "model"), arrays)

    def reserve(self, owner: Path, what: str, lease_s: float = math.inf) -> str:
        """A new key: the owner, what it is for, and a number."""
        opened = self.opened
        with opened.lock:
            opened.named += 1
            key = f"{'.'.join(map(str, owner)) or 'root'}-{_ODD.sub('-', what)[:80]}-{opened.tag}{opened.named}"
            opened.expires_s[key] = time.monotonic() + lease_s
        return key

    def put_as(self, key: str, arrays: Arrays) -> Ref:
        """Write the arrays under this key."""
        check_key(key)
        depot = self._depot()
        try:
            parts, codec = encode(arrays)
        except WireError as error:
            raise PlaneError("corrupt", key, str(error)) from None
        depot.write(key, parts)
        self._catch_up()
        nbytes = sum(array.nbytes for array in arrays.values())
        self.opened.count("puts")
        with self.opened.lock:
            self.opened.nbytes[key] = nbytes
        return Ref(key, nbytes, checksum(parts), codec, depot.address)

    def get(self, ref: Ref, timeout_s: float = 60.0) -> Arrays:
        """The arrays, read-only, checked against the name's checksum."""
        check_key(ref.key)
        cache = self.opened.cache
        self.opened.count("gets")
        if cache and (found := cache.find(ref)) is not None:
            return found
        data = self._depot().read(ref.key, timeout_s)
        if ref.checksum and checksum([data]) != ref.checksum:
            raise PlaneError("corrupt", ref.key, f"the checksum of its {len(data):,} bytes is another")
        try:
            arrays = decode(data, ref.codec)
        except WireError as error:
            raise PlaneError("corrupt", ref.key, str(error)) from None
        if cache:
            cache.keep(ref, arrays)
        return arrays

    def evict(self, ref: Ref | str) -> None:
        """Delete it, if it is there. A key whose worker has not put anything yet is remembered for the next sweep, and
        all keys while the store does not answer, for when it does.
        """
        key, opened = ref if isinstance(ref, str) else ref.key, self.opened
        check_key(key)
        with opened.lock:
            mine = opened.expires_s.pop(key, None) is not None
            opened.nbytes.pop(key, None)
            if mine and isinstance(ref, str) and not (opened.depot and opened.depot.listed):
                opened.late.add(key)
        if opened.cache:
            opened.cache.forget(key)
        if not self._unused():
            self._delete(key)
        opened.count("evicted")

    def keys(self) -> list[str]:
        """What lies there now, in order."""
        opened = self.opened
        with opened.lock:
            known = {*opened.expires_s, *opened.late}
        return [] if self._unused() else sorted(self._depot().names(known))

    def sweep(self) -> int:
        """Evict what nobody waits for; how many objects went."""
        opened, now_s = self.opened, time.monotonic()
        with opened.lock:
            over = [key for key, until_s in opened.expires_s.items() if until_s < now_s]
        gone = [key for key in self.keys() if key in over or key not in opened.expires_s]
        for key in {*over, *gone}:
            self.evict(key)
        return len(gone)

    def stats(self) -> dict[str, int]:
        """Objects there now, bytes put from this process and not evicted, and how often was put, got and evicted."""
        opened = self.opened
        with opened.lock:
            nbytes, cache = sum(opened.nbytes.values()), opened.cache
        kept = {"cached_nbytes": cache.nbytes} if cache else {}
        return {"objects": len(self.keys()), "nbytes": nbytes, **opened.counts, **kept}

    def close(self) -> None:
        """Let go; in the run's own process, with everything that is left there."""
        opened = self.opened
        with opened.lock:
            depot, opened.depot = opened.depot, None
            late = {*opened.expires_s, *opened.late, *opened.owed}
            for held in (opened.expires_s, opened.late, opened.owed, opened.nbytes):
                held.clear()
        if opened.cache:
            opened.cache.forget("")
        if depot is not None:
            self._end(depot, late)

    def _delete(self, key: str) -> None:
        """Now, or when the store answers again: a store that is gone is waited for once, and not for every key."""
        with self.opened.lock:
            if self.opened.owed:
                self.opened.owed.add(key)
                return
        try:
            self._depot().delete(key)
        except PlaneError:
            with self.opened.lock:
                self.opened.owed.add(key)

    def _catch_up(self) -> None:
        """The store answers: what was evicted while it did not goes now."""
        with self.opened.lock:
            owed, self.opened.owed = self.opened.owed, set()
        for key in owed:
            self._delete(key)

    def _end(self, depot: Depot, known: set[str]) -> None:
        """Delete by name what a depot cannot delete as a whole, then close it."""
        try:
            for key in depot.names(known) if depot.owned else []:
                depot.delete(key)
        except PlaneError:
            pass  # a store that is gone holds nothing of ours
        finally:
            depot.close()

    def _unused(self) -> bool:
        """Whether nothing can lie there: the run's own process has not begun, or has ended."""
        return self.opened.depot is None and self.opened.cache is None

    def _depot(self) -> Depot:
        with self.opened.lock:
            if self.opened.depot is None:
                self.opened.depot = self.reach()
            return self.opened.depot


def check_key(key: str) -> None:
    """A key becomes a file's name: refuse what could lead out of the run's own directory. Errors: PlaneError."""
    if not KEY.fullmatch(key) or key.startswith("."):
        raise PlaneError("missing", key[:80], "no plane gives such keys; use what reserve or put handed back")
