"""How models and updates travel: in the messages themselves, or through a data plane."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from horae.proxyfloxy.worker import Reply, Task, pack, unpack
from horae.types import DataPlane, Floats, Ref

NO_STORE, STORE = "no_store", "proxystore"
OWNER = (0,)


class Carrier(Protocol):
    """One of the sweep's stores. name: as the CSV says it. limit: the most bytes of a message, 0 for none."""

    @property
    def name(self) -> str:
        """See above."""

    @property
    def limit(self) -> int:
        """See above."""

    def announce(self, arrays: dict[str, Floats]) -> None:
        """Make a round's model ready to be sent, once for all endpoints."""

    def load(self, task: Task) -> Task:
        """A task with what leads to the model."""

    def receive(self, reply: Reply) -> dict[str, Floats]:
        """An update; it is forgotten where it lay."""

    def clear(self) -> None:
        """A round is over: nothing of it is kept."""

    def close(self) -> None:
        """Nothing is left afterwards."""


class InMessages:
    """Models travel in the task, updates in the result, as without ProxyStore."""

    name = NO_STORE

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._packed = b""

    def announce(self, arrays: dict[str, Floats]) -> None:
        """Pack the model."""
        self._packed = pack(arrays)

    def load(self, task: Task) -> Task:
        """A task that holds the model."""
        return replace(task, payload=self._packed, limit=self.limit)

    def receive(self, reply: Reply) -> dict[str, Floats]:
        """Unpack an update."""
        return unpack(reply.payload)

    def clear(self) -> None:
        """Forget the model."""
        self._packed = b""

    def close(self) -> None:
        """Nothing is held."""


class ByReference:
    """Models and updates lie in a data plane; messages name them. One put a round and one an update."""

    name = STORE

    def __init__(self, plane: DataPlane, limit: int) -> None:
        self.limit = limit
        self._plane = plane
        self._model: Ref | None = None
        self._keys: list[str] = []

    def announce(self, arrays: dict[str, Floats]) -> None:
        """Put the model."""
        self._model = self._plane.put(arrays, OWNER)

    def load(self, task: Task) -> Task:
        """A task that names the model, and the key under which its update is to be put."""
        key = self._plane.reserve(OWNER, f"update-{task.endpoint}")
        self._keys.append(key)
        return replace(task, model=self._model, address=self._plane.address, reply_key=key, limit=self.limit)

    def receive(self, reply: Reply) -> dict[str, Floats]:
        """Get an update, and evict it."""
        if reply.update is None:
            raise ValueError("the result names no update")
        if reply.update.key not in self._keys:
            raise ValueError("the result names something that was not asked for")
        arrays = self._plane.get(reply.update)
        self._plane.evict(reply.update)
        self._keys.remove(reply.update.key)
        return arrays

    def clear(self) -> None:
        """Evict the model, and the updates that nobody fetched."""
        for key in self._keys:
            self._plane.evict(key)
        if self._model is not None:
            self._plane.evict(self._model)
        self._keys, self._model = [], None

    def close(self) -> None:
        """Leave nothing in the plane."""
        self._plane.close()
