"""Vectors that clients keep for themselves: control variates, models of their own. All lie in memory."""

from __future__ import annotations

import numpy as np

from horae.types import Floats, Ints, State


class Vectors:
    """`(params,)` float32 by client."""

    def __init__(self) -> None:
        self._held: dict[int, Floats] = {}

    def of(self, clients: Ints, default: Floats) -> Floats:
        """These clients', `(q, params)`; `default (params,)` for those who keep none."""
        rows = [self._held.get(client, default) for client in clients.tolist()]
        return np.stack(rows) if rows else np.zeros((0, default.size), np.float32)

    def has(self, client: int) -> bool:
        """True where it keeps one."""
        return client in self._held

    def put(self, clients: Ints, vectors: Floats) -> None:
        """They keep these from now on."""
        self._held |= {client: row.copy() for client, row in zip(clients.tolist(), vectors, strict=True)}

    def snapshot(self) -> State:
        """Clients and vectors."""
        rows = np.stack(list(self._held.values())) if self._held else np.zeros((0, 0), np.float32)
        return np.array(list(self._held), np.int64), rows

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        clients, rows = state
        self._held = dict(zip(clients.tolist(), rows, strict=True))
