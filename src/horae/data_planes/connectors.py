"""ProxyStore's connectors behind one shape: keys made of our names, lists where there are any, and never a hang."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from horae.errors import ConfigError, HoraeError, PlaneError

Connector = Literal["file", "redis", "zmq", "endpoint"]
_NEEDS = 'needs ProxyStore: pip install "horae[proxystore]"'


@dataclass(frozen=True)
class Where:
    """All that another process must know to reach the run's objects. run: begins each of its keys."""

    connector: str
    host: str
    port: int
    directory: str
    endpoints: tuple[str, ...]
    home: str
    timeout_s: float
    run: str


@dataclass(eq=False)
class Link:
    """An open connector. key: its key for one of our names and so many bytes. names: those there, of those known.
    quit: what closing takes, told whether this is the run's own process. turns: one at a time, where it must be.
    """

    connector: Any
    key: Callable[[str, int], Any]
    names: Callable[[list[str]], list[str]]
    quit: Callable[[bool], None]
    limit: Callable[[float], None] = lambda timeout_s: None
    turns: threading.Lock | None = None

    def within(self, timeout_s: float, act: Callable[[Link], Any]) -> Any:
        """Do it, when it is this thread's turn."""
        if self.turns is None:
            return act(self)
        if not self.turns.acquire(timeout=timeout_s):
            raise TimeoutError("others use the connection")
        try:
            self.limit(timeout_s)
            return act(self)
        finally:
            self.turns.release()


def timed(act: Callable[[], Any], timeout_s: float, key: str) -> Any:
    """What it returns, if it does so in time. Errors: PlaneError; what hangs is left behind in a thread of its own."""
    box: list[Any] = []

    def run() -> None:
        try:
            box.append((act(), None))
        except BaseException as error:  # whatever a client library raises becomes one line
            box.append((None, error))

    thread = threading.Thread(target=run, daemon=True, name="horae-plane")
    thread.start()
    thread.join(timeout_s)
    if not box:
        raise PlaneError("timeout", key, f"no answer in {timeout_s:g} s")
    result, error = box[0]
    if error is None:
        return result
    if isinstance(error, HoraeError):
        raise error
    raise PlaneError(_kind(error), key, f"{type(error).__name__}: {error}") from None


def _kind(error: BaseException) -> str:
    name, words = type(error).__name__, str(error)
    if name in ("Again", "TimeoutError", "ServerTimeoutError", "ReadTimeout", "ConnectTimeout"):
        return "timeout"
    full = name == "OutOfMemoryError" or "ObjectSizeExceeded" in words or getattr(error, "errno", 0) in (27, 28, 122)
    return "full" if full or "error code 413" in words else "unreachable"


def _file(where: Where, owner: bool, timeout_s: float) -> Link:
    from proxystore.connectors.file import FileConnector, FileKey

    home = Path(where.directory)
    if not owner and not home.is_dir():
        raise PlaneError("unreachable", "", f"there is no {home}; its run has ended, or is on another host")
    connector = FileConnector(str(home), clear=False)

    def names(known: list[str]) -> list[str]:
        return [name for name in os.listdir(home) if not name.endswith(".ready")]

    def leave(owner: bool) -> None:
        if owner:
            shutil.rmtree(home, ignore_errors=True)

    return Link(connector, lambda name, nbytes: FileKey(name), names, leave)


def _redis(where: Where, owner: bool, timeout_s: float) -> Link:
    import redis
    from proxystore.connectors.redis import RedisConnector, RedisKey
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    connector, prefix = RedisConnector(where.host, where.port), f"{where.run}:"
    lister = redis.StrictRedis(
        host=where.host, port=where.port, socket_timeout=timeout_s, socket_connect_timeout=min(timeout_s, 5.0),
        retry=Retry(NoBackoff(), 1),
    )  # fmt: skip
    lister.ping()

    def names(known: list[str]) -> list[str]:
        return [bytes(key).decode().removeprefix(prefix) for key in lister.scan_iter(match=f"{prefix}*", count=1000)]

    def leave(owner: bool) -> None:
        connector.close()
        lister.close()

    return Link(connector, lambda name, nbytes: RedisKey(prefix + name), names, leave)


@dataclass
class _ZeroMQ:
    """The connector with `set`, which it does not have: keys are made here."""

    inner: Any
    get: Any = field(init=False)
    evict: Any = field(init=False)
    exists: Any = field(init=False)

    def __post_init__(self) -> None:
        self.get, self.evict, self.exists = self.inner.get, self.inner.evict, self.inner.exists

    def set(self, key: Any, data: bytes) -> None:
        from proxystore_ex.connectors.dim.models import RPC

        self.inner._send_rpcs([RPC(operation="put", key=key, data=data)])


def _zmq(where: Where, owner: bool, timeout_s: float) -> Link:
    from proxystore_ex.connectors.dim.models import DIMKey
    from proxystore_ex.connectors.dim.zmq import ZeroMQConnector, wait_for_server

    if not owner:  # a worker must never start a server of its own
        wait_for_server(where.host, where.port, min(timeout_s, 2.0))
    connector = ZeroMQConnector(where.port, address=where.host, timeout=min(timeout_s, 2.0))
    connector.socket.linger = connector.context.linger = 0
    store = _ZeroMQ(connector)

    def key(name: str, nbytes: int) -> Any:
        return DIMKey("zmq", f"{where.run}:{name}", nbytes, where.host, where.port)

    def names(known: list[str]) -> list[str]:
        return [name for name in known if store.exists(key(name, 0))]

    def limit(timeout_s: float) -> None:
        connector.socket.rcvtimeo = connector.socket.sndtimeo = int(timeout_s * 1000)

    return Link(store, key, names, lambda owner: connector.close(kill_server=owner), limit, threading.Lock())


def _endpoint(where: Where, owner: bool, timeout_s: float) -> Link:
    from proxystore.connectors.endpoint import EndpointConnector, EndpointKey

    ids = [UUID(name) for name in where.endpoints]
    connector = EndpointConnector(ids, proxystore_dir=where.home or None)
    first = str(ids[0])

    def key(name: str, nbytes: int) -> Any:
        return EndpointKey(f"{where.run}-{name}", first)

    def names(known: list[str]) -> list[str]:
        return [name for name in known if connector.exists(key(name, 0))]

    return Link(connector, key, names, lambda owner: connector.close())


def _installed(make: Callable[[Where, bool, float], Link]) -> Callable[[Where, bool, float], Link]:
    def link(where: Where, owner: bool, timeout_s: float) -> Link:
        try:
            return make(where, owner, timeout_s)
        except ImportError as error:
            raise ConfigError(f"data_plane.connector = {where.connector!r} {_NEEDS} ({error})") from None

    return link


@dataclass(frozen=True)
class Kind:
    """How a connector is opened, its usual port, and whether it can say what it holds."""

    link: Callable[[Where, bool, float], Link]
    port: int = 0
    listed: bool = False


CONNECTORS = {
    "file": Kind(_installed(_file), listed=True),
    "redis": Kind(_installed(_redis), 6379, listed=True),
    "zmq": Kind(_installed(_zmq), 5560),
    "endpoint": Kind(_installed(_endpoint)),
}
