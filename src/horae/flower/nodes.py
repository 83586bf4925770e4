"""Which nodes there are, which of them still have to answer, and what came with their replies."""

from __future__ import annotations

import logging
import time
from typing import Any

from horae.errors import HoraeError
from horae.flower.affinity import LOGGER, REQUEST, number
from horae.flower.coordinating import Coordinator
from horae.flower.grid import CohortGrid

log = logging.getLogger(LOGGER)


class Nodes:
    """The nodes of the shared grid. ids: of those ever seen, by client number."""

    def __init__(self, grid: Any, coordinator: Coordinator) -> None:
        self._grid, self._coordinator = grid, coordinator
        self.ids: dict[int, int] = {}
        self._late: dict[str, tuple[int, float]] = {}  # messages of rounds that are over: their node, and until when
        self._silent = False

    @property
    def busy(self) -> set[int]:
        """Clients that have not answered a message of a round that is over."""
        return {number(node) for node, _ in self._late.values()}

    def present(self) -> set[int]:
        """The clients that are there. Replies that come too late free their node, and bring its request."""
        names = list(self._late)
        for reply in self._grid.pull_messages(names) if names else []:
            node, _ = self._late.pop(reply.metadata.reply_to_message_id, (None, 0.0))
            if node is not None and reply.has_content() and reply.metadata.src_node_id == node:
                asked = reply.content.get(REQUEST)
                if asked is not None:
                    self._hear(node, asked.get("request"))
        now = time.monotonic()
        self._late = {name: (node, end) for name, (node, end) in self._late.items() if end > now}
        there = {number(node): node for node in self._grid.get_node_ids()}
        self.ids |= there
        return set(there)

    def answered(self, view: CohortGrid, deadline_s: float) -> None:
        """A round is over: the requests that came, and the messages that nobody answered yet."""
        for node, request in sorted(view.requests.items()):
            self._hear(node, request)
        mute = {self.ids[client] for client in view.heard().clients.tolist()} - view.requests.keys()
        if mute and not self._silent:
            log.warning("node %d sends no affinity request, so its cohort is a guess: add horae.flower.affinity_mod() "
                        "to the ClientApp's mods", min(mute))  # fmt: skip
            self._silent = True
        end = time.monotonic() + deadline_s
        self._late |= {name: (node, end) for name, node in view.late().items()}

    def _hear(self, node: int, request: object) -> None:
        try:
            self._coordinator.hear(number(node), request)
        except HoraeError as error:
            log.warning("node %d: %s", node, error)
