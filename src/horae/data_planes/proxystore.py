"""Arrays in whatever ProxyStore's connectors reach: a shared disk, Redis, ZeroMQ, ProxyStore endpoints on many sites.

Only the connectors are used, never their transparent proxies: a proxy that cannot be resolved breaks the executor that
carries it. What crosses is a small `Ref`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

from horae.data_planes.coding import Part
from horae.data_planes.connectors import CONNECTORS, Connector, Link, Where, timed
from horae.data_planes.shared import Opened, Shared
from horae.errors import ConfigError, PlaneError, did_you_mean, require

SCHEME = "proxystore:"


@dataclass(frozen=True)
class ProxyStore(Shared):
    """Any connector of ProxyStore (`pip install "horae[proxystore]"`): for endpoints on other hosts.

    connector: file (a shared directory), redis, zmq, or endpoint. host, port: of Redis, or of the ZeroMQ server, which
    is started here where none answers; 0 is the usual port. directory: for files, "" is /dev/shm. endpoints: ids of the
    ProxyStore endpoints, the one that holds the objects first; home: their settings, "" is ProxyStore's own place.
    timeout_s: the longest that one transfer may take.

    Source: ProxyStore (SC '23); ProxyFloxy. Reading: a key is assigned by the controller, so that nothing is orphaned.
    """

    connector: Connector = "file"
    host: str = "127.0.0.1"
    port: int = 0
    directory: str = ""
    endpoints: tuple[str, ...] = ()
    home: str = ""
    timeout_s: float = 60.0
    opened: Opened = field(default_factory=Opened, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require(0 <= self.port < 65536, "data_plane.port", "be in [0, 65535]", self.port)
        require(0 < self.timeout_s <= 86400, "data_plane.timeout_s", "be in (0, 86400]", self.timeout_s)
        if self.connector == "endpoint":
            require(bool(self.endpoints), "data_plane.endpoints", "name at least one", [], "proxystore-endpoint list")

    def reach(self) -> Remote:
        """A new run at the connector, which must answer."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        where = Where(**known, run=f"horae-{secrets.token_hex(6)}")
        where = replace(where, port=where.port or CONNECTORS[where.connector].port)
        if where.connector == "file":
            where = replace(where, directory=str(Path(where.directory or "/dev/shm").absolute() / where.run))
        try:
            return Remote(where, owner=True)
        except PlaneError as error:
            raise ConfigError(f"data_plane.connector: {where.connector}: {error.cause}; is it running?") from None


class Remote:
    """A connector with time-outs: whatever it does, an answer or a PlaneError comes in time."""

    def __init__(self, where: Where, owner: bool) -> None:
        self.address = SCHEME + json.dumps(asdict(where))
        self.listed = CONNECTORS[where.connector].listed
        self._where, self.owned, self._lock = where, owner, RLock()
        self._link: Link | None = None
        self._first: Link | None = None  # what was started with it is stopped with it
        self._first = self._linked(where.timeout_s)

    def write(self, key: str, parts: list[Part]) -> None:
        """Set the object."""
        data = b"".join(parts)
        self._do(key, lambda link: link.connector.set(link.key(key, len(data)), data), self._where.timeout_s)

    def read(self, key: str, timeout_s: float) -> Any:
        """Its bytes."""
        found = self._do(key, lambda link: link.connector.get(link.key(key, 0)), timeout_s)
        if found is None:
            raise PlaneError("missing", key, "it was evicted, or its run has ended")
        return memoryview(found)

    def delete(self, key: str) -> None:
        """Evict the object."""
        self._do(key, lambda link: link.connector.evict(link.key(key, 0)), self._where.timeout_s)

    def names(self, known: Iterable[str]) -> list[str]:
        """What is there, of those known where the connector cannot be listed."""
        found: list[str] = self._do("", lambda link: link.names(list(known)), self._where.timeout_s)
        return found

    def close(self) -> None:
        """Let go; the owner also stops what it started."""
        with self._lock:
            links, self._link, self._first = (self._first, self._link), None, None
        for link in dict.fromkeys(filter(None, links)):
            with suppress(PlaneError):
                timed(partial(link.quit, self.owned), min(self._where.timeout_s, 10.0), "")

    def _do(self, key: str, act: Callable[[Link], Any], timeout_s: float) -> Any:
        """The act's result in time. After a failure the next one connects anew, for a link may hang for ever."""
        link = self._linked(timeout_s)
        try:
            return timed(lambda: link.within(timeout_s, act), timeout_s, key)
        except PlaneError:
            with self._lock:
                if self._link is link:
                    self._link = None
            raise

    def _linked(self, timeout_s: float) -> Link:
        with self._lock:
            if self._link is None:
                make, begins = CONNECTORS[self._where.connector].link, self.owned and self._first is None
                self._link = timed(lambda: make(self._where, begins, timeout_s), timeout_s, "")
            return self._link


def found(address: str) -> Remote:
    """The store of that address. Errors: PlaneError."""
    try:
        table = json.loads(address.removeprefix(SCHEME))
        where = Where(**{**table, "endpoints": tuple(table["endpoints"])})
    except (ValueError, TypeError, KeyError):
        raise PlaneError("unreachable", "", "its address cannot be read") from None
    if where.connector not in CONNECTORS:
        raise PlaneError("unreachable", "", f"no connector of that name; {did_you_mean(where.connector, CONNECTORS)}")
    return Remote(where, owner=False)
