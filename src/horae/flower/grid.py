"""A grid that shows one cohort's nodes to a strategy that knows nothing of cohorts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from horae.errors import RunError, Stopped, WireError, one_line
from horae.flower.affinity import FEEDBACK, LOGGER, REQUEST, number
from horae.flower.coordinating import Heard
from horae.flower.sketches import Base
from horae.types import Floats, Path

# Strategies' own code and the reading of arrays, one thread at a time: numpy reads a header with ast, which in CPython
# 3.11 fails now and then in two threads at once (SystemError: AST constructor recursion depth mismatch).
ONE = threading.RLock()
LOOKS, LOOKS_S = 10, 10.0  # a strategy that asks so often, for so long, waits for nodes that will not come
log = logging.getLogger(LOGGER)


def cohort_name(path: Path) -> str:
    """A cohort in words: 0 is the root, 0.1 its second child."""
    return ".".join(map(str, (0, *path)))


@dataclass(frozen=True)
class Post:
    """How a cohort's messages go and come. poll_s: between two looks for replies; keys: of the arrays that are
    trained; dims: width of the sketches; stop: set when the run is to end.
    """

    deadline_s: float
    poll_s: float
    keys: tuple[str, ...]
    dims: int
    stop: threading.Event


@dataclass(frozen=True)
class _Sent:
    node: int
    base: Base | None  # of a train message


class CohortGrid(Grid):  # type: ignore[misc]
    """One round of one cohort on a grid that cohorts share.

    It shows the cohort's nodes and no others; adds what each is told to its train message; reads the updates of the
    replies, of which it keeps sketches, and the requests that came with them. A reply that is not of the model that
    was sent is refused, and named in the log. Replies come in order of the nodes, so that sums do too.
    """

    def __init__(self, grid: Grid, group: str, told: Mapping[int, Mapping[str, Any]], quorum: int, post: Post) -> None:
        """group: the cohort's round. told: its nodes, and the `horae.feedback` of each. quorum: good replies that end
        the training of the round.
        """
        self._grid, self._nodes, self.group, self._told = grid, set(told), group, told
        self._quorum, self._post, self._lock = quorum, post, threading.RLock()
        self._sent: dict[str, _Sent] = {}
        self._bases: dict[int, tuple[ArrayRecord, Base]] = {}
        self._sketches: dict[int, tuple[Floats, float]] = {}
        self.requests: dict[int, object] = {}
        self.failures: dict[int, str] = {}
        self._looks, self._since = 0, time.monotonic()

    # ---------------------------------------------------------------- what a strategy sees

    def set_run(self, run: Any) -> None:
        """The run is the shared grid's."""
        self._grid.set_run(run)

    @property
    def run(self) -> Any:
        """The shared grid's run."""
        return self._grid.run

    def create_message(self, *args: Any, **options: Any) -> Message:
        """As the shared grid does; deprecated in Flower."""
        return self._grid.create_message(*args, **options)

    def get_node_ids(self) -> list[int]:
        """The cohort's nodes, in order. Errors: RunError where the strategy goes on waiting for more."""
        self._looks += 1
        if self._post.stop.is_set():
            raise Stopped("the run ends")
        if self._looks > LOOKS and time.monotonic() - self._since > LOOKS_S:
            raise RunError(f"min_nodes should be as many as the strategy waits for, got a round of {len(self._nodes)} "
                           f"nodes in {self.group}; raise min_nodes, or lower the strategy's")  # fmt: skip
        return sorted(self._nodes)

    def get_nodes(self) -> list[Any]:
        """What the shared grid knows of the cohort's nodes."""
        return [node for node in self._grid.get_nodes() if node.node_id in self._nodes]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send messages to the cohort's nodes, named after the cohort's round. Errors: RunError for another's node."""
        ready = [(message, self._prepared(message)) for message in messages]
        ids = list(self._grid.push_messages([message for message, _ in ready])) if ready else []
        with self._lock:
            for place, (message, sent) in enumerate(ready):
                name = ids[place] if place < len(ids) else None
                if name:
                    self._sent[name] = sent
                else:
                    self._failed(message.metadata.dst_node_id, "the message could not be pushed")
        self._looks, self._since = 0, time.monotonic()
        return [name for name in ids if name]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """The replies to this cohort's messages that are there and can be used."""
        with self._lock:
            mine = [name for name in message_ids if name in self._sent]
        replies = self._grid.pull_messages(mine) if mine else []
        return [reply for reply in map(self._received, replies) if reply is not None]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send, and wait for the quorum, for everybody or for the deadline, whichever is first."""
        messages = list(messages)
        trains = any(_trains(message) for message in messages)
        names = set(self.push_messages(messages))
        limit = self._post.deadline_s if timeout is None else min(timeout, self._post.deadline_s)
        end, found = time.monotonic() + limit, list[Message]()
        while True:
            found += self.pull_messages(names)
            with self._lock:
                names &= self._sent.keys()
            good = sum(reply.has_content() for reply in found)
            if not names or (trains and good >= self._quorum) or time.monotonic() >= end:
                break
            if self._post.stop.wait(self._post.poll_s):
                raise Stopped("the run ends")
        return sorted(found, key=lambda reply: reply.metadata.src_node_id)

    # ---------------------------------------------------------------- what the coordinator hears

    def heard(self) -> Heard:
        """The updates that came, by client."""
        with self._lock:
            found = sorted((number(node), *pair) for node, pair in self._sketches.items())
        rows = [sketch for _, sketch, _ in found]
        sketches = np.stack(rows) if rows else np.zeros((0, 1), np.float32)
        return Heard(np.array([c for c, _, _ in found], np.int64), sketches, np.array([n for _, _, n in found]))

    def late(self) -> dict[str, int]:
        """Messages that were not answered, and their nodes."""
        with self._lock:
            return {name: sent.node for name, sent in self._sent.items()}

    def only_answered(self) -> int:
        """Show those alone that trained; how many these are."""
        with self._lock:
            self._nodes = set(self._sketches)
            return len(self._nodes)

    def _prepared(self, message: Message) -> _Sent:
        """Name the message after the round; a train message also tells its node what is on its way to it."""
        node = message.metadata.dst_node_id
        if node not in self._nodes:
            raise RunError(f"the strategy sent to node {node}, which is not in {self.group}; it should send to nodes "
                           "of grid.get_node_ids()")  # fmt: skip
        message.metadata.group_id = self.group
        message.metadata.ttl = min(message.metadata.ttl, max(1.0, self._post.deadline_s))
        if not _trains(message):
            return _Sent(node, None)
        base = self._base(message)
        message.content = RecordDict({**message.content, FEEDBACK: ConfigRecord(dict(self._told[node]))})
        return _Sent(node, base)

    def _base(self, message: Message) -> Base:
        arrays = next(iter(message.content.array_records.values()), None)
        if arrays is None:
            raise RunError(f"a train message of {self.group} should carry an ArrayRecord, got none; cohorts are found "
                           "in updates")  # fmt: skip
        key = id(arrays)
        if key not in self._bases:
            self._bases[key] = (
                arrays,
                Base.of({name: array.numpy() for name, array in arrays.items()}, self._post.keys),
            )
        return self._bases[key][1]

    def _received(self, reply: Message) -> Message | None:
        """The reply, if it is one that was asked for and of the model that was sent."""
        with self._lock:
            sent = self._sent.pop(reply.metadata.reply_to_message_id, None)
        if sent is None:
            log.warning("%s: a reply to a message that nobody sent, or a second one, is refused", self.group)
            return None
        if reply.has_error():
            self._failed(sent.node, reply.error.reason)
            return reply
        if reply.metadata.src_node_id != sent.node:
            self._failed(sent.node, f"node {reply.metadata.src_node_id} answered in its place")
            return None
        asked = reply.content.pop(REQUEST, None)
        if sent.base is not None:
            try:
                with ONE:
                    found = sent.base.sketch_of(_arrays(reply), self._post.dims)
            except (WireError, ValueError, TypeError, EOFError, KeyError) as error:
                self._failed(sent.node, f"its reply is refused: {error}")
                return None
            with self._lock:
                self._sketches[sent.node] = found
                if asked is not None:
                    self.requests[sent.node] = asked.get("request")
        return reply

    def _failed(self, node: int, why: str | None) -> None:
        with self._lock:
            self.failures[node] = one_line(why or "no reason given", 160)
        log.warning("%s: node %d failed: %s", self.group, node, self.failures[node])


def _trains(message: Message) -> bool:
    return str(message.metadata.message_type).split(".")[0] == "train"


def _arrays(reply: Message) -> dict[str, np.ndarray]:
    records = list(reply.content.array_records.values())
    if len(records) != 1:
        raise WireError(f"it has {len(records)} ArrayRecords where 1 is wanted")
    return {name: array.numpy() for name, array in records[0].items()}
