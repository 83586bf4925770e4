"""How often a client takes part where every update costs it privacy: it counts, and stays away in the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from horae.types import Bools, Ints, Metered, State


class Turns:
    """Updates that each client has sent, against the most that any of these parts of a plan allows (0: no limit, and
    nothing is counted).
    """

    def __init__(self, parts: Sequence[object]) -> None:
        limits = [part.visits for part in parts if isinstance(part, Metered)]
        self.most = min((limit for limit in limits if limit > 0), default=0)
        self._sent: dict[int, int] = {}

    def left(self, clients: Ints) -> Bools:
        """Who may still take part, `(clients,)`."""
        if not self.most:
            return np.ones(clients.size, bool)
        return np.array([self._sent.get(c, 0) < self.most for c in clients.tolist()], bool)

    def take(self, clients: Ints) -> None:
        """These clients will send an update: counted when they set out, so that nobody is in two last rounds."""
        for client in clients.tolist() if self.most else ():
            self._sent[client] = self._sent.get(client, 0) + 1

    def over(self, total: int, fewest: int) -> bool:
        """True where fewer than that many of all clients may still take part."""
        return self.most > 0 and total - sum(n >= self.most for n in self._sent.values()) < fewest

    def snapshot(self) -> State:
        """Clients and what they sent."""
        return np.array(list(self._sent), np.int64), np.array(list(self._sent.values()), np.int64)

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        clients, sent = state
        self._sent = dict(zip(clients.tolist(), sent.tolist(), strict=True))
