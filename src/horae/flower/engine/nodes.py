"""Which of Flower's nodes is which client, and which are online."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Message

from horae import __version__
from horae.engines.messages import ClientFailure, Recipe, Visit
from horae.errors import HoraeError, RunError, one_line
from horae.flower.engine.heads import TO_SERVER, content, message_of
from horae.population import Card
from horae.pure.packing import PackingError, unpack
from horae.types import Ints

LOGGER = logging.getLogger("flwr.horae")
CARD = "query.horae"
CARD_S = 120.0  # how long a node may take to introduce itself
LOOK_S = 3.0  # between two looks at who is online
CARD_NBYTES = 1 << 20
ROLL_S = 90.0  # how long a check waits for all nodes


@dataclass(frozen=True)
class Introduced:
    """A node and what it said. key: its public key, empty where the SuperLink knows none; number: the client that it
    says it is, -1 for any; horae: the version that it has.
    """

    node: int
    key: bytes
    number: int
    card: Card
    horae: str = __version__


@dataclass
class Nodes:
    """Asks every node once who it is. Those of the roster are known by client; others, and those who claim somebody
    else's number, are refused and named.
    """

    grid: Any
    recipe: Recipe
    by_client: dict[int, Introduced] = field(default_factory=dict, init=False)
    refused: dict[int, str] = field(default_factory=dict, init=False)
    _asked: dict[str, tuple[int, bytes, float]] = field(default_factory=dict, init=False)  # by message
    _seen: set[int] = field(default_factory=set, init=False)
    _online: set[int] = field(default_factory=set, init=False)
    _looked: float = field(default=-1e9, init=False)

    def meet(self, want: int, patience_s: float) -> list[Card]:
        """The cards of at least `want` nodes, in the order of the clients. Errors: RunError."""
        found: dict[int, Introduced] = {}
        ends = time.monotonic() + patience_s
        while len(found) < want or self._asked:
            self.look(force=True)
            for one in self.introductions():
                found[one.node] = one
            if time.monotonic() > ends:
                remedy = "start the SuperNodes, lower site.nodes or participants, or raise site.timeout_s"
                others = "".join(f"; node {node} is refused: {why}" for node, why in sorted(self.refused.items())[:3])
                met = f"{len(found)} of {want} nodes introduced themselves in {patience_s:g} s"
                raise RunError(f"{met}; {remedy}{others}")
            time.sleep(0.2)
        self.by_client = numbered(list(found.values()))
        return [self.by_client[client].card for client in range(len(self.by_client))]

    def roll(self, patience_s: float = ROLL_S) -> dict[int, dict[str, str]]:
        """Of each node that is online now, its version of horae, or why it cannot take part; nobody else is awaited."""
        self.look(force=True)
        ends, found = time.monotonic() + patience_s, dict[int, dict[str, str]]()
        while self._asked and time.monotonic() < ends:
            found |= {one.node: {"horae": one.horae} for one in self.introductions(same=False)}
            time.sleep(0.2)
        silent = {node: f"no answer in {patience_s:g} s" for node, _, _ in self._asked.values()}
        return found | {node: {"why": why} for node, why in (self.refused | silent).items()}

    def look(self, *, force: bool = False) -> None:
        """Who is online, as often as is worth while; who is new is asked for a card."""
        if not force and time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        infos = [info for info in self.grid.get_nodes() if info.status in ("", "online")]
        self._online = {info.node_id for info in infos}
        new = [info for info in infos if info.node_id not in self._seen]
        self._seen |= {info.node_id for info in new}
        messages = [
            Message(content(Visit(self.recipe)), dst_node_id=info.node_id, message_type=CARD, ttl=CARD_S + 60)
            for info in new
        ]
        if messages:
            ids = list(self.grid.push_messages(messages))
            for message_id, info in zip(ids, new, strict=True):
                self._asked[message_id] = (info.node_id, bytes(info.public_key), time.monotonic())

    def introductions(self, *, same: bool = True) -> list[Introduced]:
        """Cards that came since. same: another version of horae is refused."""
        found = []
        for message in self.grid.pull_messages(list(self._asked)) if self._asked else ():
            asked = self._asked.pop(message.metadata.reply_to_message_id, None)
            if asked is None or message.metadata.src_node_id != asked[0]:
                continue
            try:
                found.append(_introduced(message, *asked[:2], same=same))
            except HoraeError as error:
                self._refuse(asked[0], str(error))
        now = time.monotonic()
        for message_id in [m for m, (_, _, since) in self._asked.items() if now - since > CARD_S]:
            node, _, _ = self._asked.pop(message_id)
            self._refuse(node, "it does not introduce itself; does it have horae?")
        return found

    def _refuse(self, node: int, why: str) -> None:
        self.refused[node] = why
        LOGGER.warning("node %d is refused: %s", node, why)

    def idle(self, seen: Ints) -> Ints:
        """Those of these clients whose node is online now."""
        self.look()
        for one in self.introductions():
            self._take(one)
        there = [self.by_client[c].node in self._online for c in seen.tolist()]
        idle: Ints = seen[np.array(there, bool)]
        return idle

    def _take(self, new: Introduced) -> None:
        """A node that came later: a client that is known under another id, or nobody."""
        old = self.by_client.get(new.number)
        if old is None:
            LOGGER.warning("node %d is refused: it is none of the %d clients", new.node, len(self.by_client))
        elif old.node in self._online and old.node != new.node:
            LOGGER.warning("node %d is refused: it says it is client %d, which is online", new.node, new.number)
        elif old.key and old.key != new.key:
            LOGGER.warning("node %d is refused: it says it is client %d, whose key is another", new.node, new.number)
        elif old.card.digest != new.card.digest:
            LOGGER.warning("node %d is refused: client %d had other samples", new.node, new.number)
        else:
            LOGGER.info("client %d is node %d now", new.number, new.node)
            self.by_client[new.number] = new


def numbered(found: list[Introduced]) -> dict[int, Introduced]:
    """By client, 0 to n - 1: as they say, or in the order of their keys and ids. Errors: RunError."""
    if all(one.number < 0 for one in found):
        return dict(enumerate(sorted(found, key=lambda one: (one.key, one.node))))
    taken: dict[int, Introduced] = {}
    for one in sorted(found, key=lambda one: one.node):
        if one.number in taken:
            other = taken[one.number].node
            raise RunError(f"nodes {other} and {one.node} both say client={one.number}; give each a number of its own")
        taken[one.number] = one
    if sorted(taken) != list(range(len(taken))):
        remedy = "start each with --node-config 'client=K'"
        raise RunError(f"nodes should be clients 0 to {len(taken) - 1}, they say {sorted(taken)}; {remedy}")
    return taken


def _introduced(message: Message, node: int, key: bytes, *, same: bool) -> Introduced:
    if message.has_error():
        raise RunError(one_line(message.error.reason or "it answered with an error", 160))
    said = message_of(message.content, TO_SERVER, CARD_NBYTES)
    if isinstance(said, ClientFailure):
        raise RunError(said.why)
    try:
        table = unpack(said.payload)
        version = one_line(table["horae"], 40)
        if same and version != __version__:
            raise RunError(f"it has horae {version}, the server {__version__}; install the same version everywhere")
        number, card = table["client"], Card(**table["card"]).check()
        if type(number) is not int or card.train.size != 1:
            raise TypeError("a node is one client")
    except (PackingError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"its card cannot be read: {error}") from None
    return Introduced(node, key, number, card, version)
