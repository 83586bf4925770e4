"""What a server knows of its nodes: what each last asked for, and the messages that are on their way to it.

Nodes are met when they reply, so a message rides on the next train message and the request on its reply. A message is
sent until the node says that it heard it. Requests are read as they will be once those messages are read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from horae.cohorts.records import recall
from horae.flower.affinity import parse, reacted
from horae.flower.affinity_bytes import blank_record, message_bytes
from horae.types import Clustering, Feedback, Ints, Path, Records, State

WAITING = 16  # messages that wait for one node, the last ones: who is away for longer explores again


class Roll:
    """Requests and messages by client; soft state, which nodes bring anew."""

    def __init__(self, clustering: Clustering) -> None:
        self._clustering = clustering
        self._said: dict[int, tuple[Records, int]] = {}  # the last request, and the serial of what it knew of
        self._waiting: dict[int, list[tuple[int, Feedback]]] = {}
        self._last: dict[int, int] = {}  # serials that were given
        self._read: dict[int, Records] = {}  # requests after what is waiting

    def hear(self, client: int, request: object, known: Collection[Path]) -> None:
        """A request came with a reply. known: the cohorts that are or were; of others a client can only have made up.

        Errors: RunError if it cannot be read; then the last one stands.
        """
        said, heard = parse(request, f"client {client}")
        real = [i for i, path in enumerate(said.paths) if path in known]
        paths = tuple(said.paths[i] for i in real)
        own = Records(np.array([client]), paths, said.reward[:, real], said.cluster[:, real], said.visits[:, real],
                      said.heard[:, real], said.group)  # fmt: skip
        self._said[client] = (own, heard)
        self._last[client] = max(self._last.get(client, 0), heard)
        left = [(serial, told) for serial, told in self._waiting.get(client, []) if serial > heard]
        self._put(client, left)

    def tell(self, told: Feedback) -> None:
        """A message to each of its clients, to be sent when they are next met."""
        for row, client in enumerate(told.clients.tolist()):
            one = slice(row, row + 1)
            mine = Feedback(told.path, told.clients[one], told.reward[one], told.cluster[one], told.leaves,
                            told.towards[one], told.visit)  # fmt: skip
            self._last[client] = self._last.get(client, 0) + 1
            self._put(client, [*self._waiting.get(client, []), (self._last[client], mine)])

    def outgoing(self, client: int) -> bytes:
        """All that this client has not heard; empty where there is nothing."""
        waiting = self._waiting.get(client, [])
        return message_bytes(waiting) if waiting else b""

    def records(self, clients: Ints) -> Records:
        """What these clients will remember when they are met, blank for those who never said anything."""
        return recall(clients, [self._record(client) for client in clients.tolist()])

    def snapshot(self) -> State:
        """All of it as a plain value."""
        return {"said": dict(self._said), "waiting": dict(self._waiting), "last": dict(self._last)}

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        self._said, self._last = dict(state["said"]), dict(state["last"])
        self._waiting, self._read = dict(state["waiting"]), {}

    def _put(self, client: int, waiting: Sequence[tuple[int, Feedback]]) -> None:
        self._read.pop(client, None)
        self._waiting[client] = list(waiting)[-WAITING:]
        if not waiting:
            del self._waiting[client]

    def _record(self, client: int) -> Records:
        if client not in self._read:
            record = self._said[client][0] if client in self._said else blank_record(client)
            for _, told in self._waiting.get(client, []):
                record = reacted(self._clustering, record, told)
            self._read[client] = record
        return self._read[client]
