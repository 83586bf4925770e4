"""What simulated clients remember, held for them by the simulator; on a device each client holds its own row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from horae.population.rows import Lookup
from horae.types import UNKNOWN, Bools, Feedback, Ints, Path, Records, State


class ClientStore:
    """Affinity records by column.

    A client gets a row with its first message, so memory grows with those that took part.
    """

    def __init__(self, groups: Lookup | None = None, forgets: Callable[[Ints], Bools] | None = None) -> None:
        """groups: planted groups, for the oracle; None where nothing is planted. forgets: who has lost its record
        whenever it is asked for one.
        """
        self._groups, self._forgets = groups, forgets
        self._row: dict[int, int] = {}
        self._paths: dict[Path, int] = {}
        self._reward = np.zeros((0, 0))
        self._cluster = np.full((0, 0), UNKNOWN, np.int64)
        self._visits = np.zeros((0, 0), np.int64)
        self._heard = np.zeros((0, 0), bool)

    def __len__(self) -> int:
        return len(self._row)

    def records(self, clients: Ints) -> Records:
        """What these clients remember; a client without a row remembers nothing."""
        rows = np.array([self._row.get(c, -1) for c in clients.tolist()], np.int64)
        if self._forgets is not None:
            rows[self._forgets(clients)] = -1
        there, width = rows >= 0, len(self._paths)
        reward, cluster = np.zeros((rows.size, width)), np.full((rows.size, width), UNKNOWN, np.int64)
        visits, heard = np.zeros((rows.size, width), np.int64), np.zeros((rows.size, width), bool)
        found = rows[there]
        reward[there], cluster[there] = self._reward[found, :width], self._cluster[found, :width]
        visits[there], heard[there] = self._visits[found, :width], self._heard[found, :width]
        group = np.full(rows.size, UNKNOWN) if self._groups is None else self._groups[clients]
        return Records(clients, tuple(self._paths), reward, cluster, visits, heard, group)

    def make_room(self, feedback: Feedback) -> None:
        """Columns for every cohort the message names and its ancestors, rows for its clients."""
        for path in (feedback.path, *feedback.leaves):
            for depth in range(len(path) + 1):
                self._paths.setdefault(path[:depth], len(self._paths))
        for client in feedback.clients.tolist():
            self._row.setdefault(client, len(self._row))
        self._grow()

    def write(self, records: Records) -> None:
        """These clients' memories, after they read a message that there is room for."""
        rows = np.array([self._row[c] for c in records.clients.tolist()], np.int64)
        width = len(records.paths)
        self._reward[rows, :width], self._cluster[rows, :width] = records.reward, records.cluster
        self._visits[rows, :width], self._heard[rows, :width] = records.visits, records.heard

    def put(self, records: Records) -> None:
        """What these clients say that they remember, in place of what was known of them."""
        for path in records.paths:
            for depth in range(len(path) + 1):
                self._paths.setdefault(path[:depth], len(self._paths))
        for client in records.clients.tolist():
            self._row.setdefault(client, len(self._row))
        self._grow()
        rows = np.array([self._row[c] for c in records.clients.tolist()], np.int64)
        self._reward[rows], self._cluster[rows] = 0.0, UNKNOWN
        self._visits[rows], self._heard[rows] = 0, False
        place = np.ix_(rows, np.array([self._paths[path] for path in records.paths], np.int64))
        self._reward[place], self._cluster[place] = records.reward, records.cluster
        self._visits[place], self._heard[place] = records.visits, records.heard

    def snapshot(self) -> State:
        """All that clients remember."""
        rows, width = len(self._row), len(self._paths)
        columns = (self._reward, self._cluster, self._visits, self._heard)
        return np.array(list(self._row), np.int64), tuple(self._paths), tuple(c[:rows, :width] for c in columns)

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        clients, paths, columns = state
        self._row = {client: row for row, client in enumerate(clients.tolist())}
        self._paths = {path: column for column, path in enumerate(paths)}
        self._reward, self._cluster, self._visits, self._heard = (column.copy() for column in columns)

    def _grow(self) -> None:
        rows, columns = self._reward.shape
        if len(self._row) <= rows and len(self._paths) <= columns:
            return
        more = (max(64, rows, 2 * len(self._row)) - rows, max(4, columns, 2 * len(self._paths)) - columns)
        pad = ((0, max(0, more[0])), (0, max(0, more[1])))
        self._reward, self._visits = np.pad(self._reward, pad), np.pad(self._visits, pad)
        self._cluster = np.pad(self._cluster, pad, constant_values=UNKNOWN)
        self._heard = np.pad(self._heard, pad)
