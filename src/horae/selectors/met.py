"""What a selector remembers of the clients it met: nothing of the others, so that ten million clients cost nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.types import Bools, Doubles, Ints


@dataclass(frozen=True)
class Met:
    """A table of clients. clients `(met,)`: ids in order; columns: numbers `(met,)` by name, NaN for unknown."""

    clients: Ints
    columns: dict[str, Doubles]

    def has(self, clients: Ints) -> Bools:
        """Who of these was met, `(clients,)`."""
        return np.isin(clients, self.clients)

    def of(self, clients: Ints, name: str) -> Doubles:
        """One column for these clients, NaN for those who were not met."""
        found = np.full(clients.size, np.nan)
        known = self.has(clients)
        found[known] = self.columns[name][np.searchsorted(self.clients, clients[known])]
        return found

    def put(self, clients: Ints, **values: Doubles | float) -> Met:
        """The table in which these clients have these numbers; other columns stay as they were."""
        ids = np.union1d(self.clients, clients)
        old, new = np.searchsorted(ids, self.clients), np.searchsorted(ids, clients)
        columns = {}
        for name, column in self.columns.items():
            columns[name] = np.full(ids.size, np.nan)
            columns[name][old] = column
            if name in values:
                columns[name][new] = values[name]
        return Met(ids, columns)


def nobody(*names: str) -> Met:
    """A table with these columns and no clients."""
    return Met(np.zeros(0, np.int64), {name: np.zeros(0) for name in names})
