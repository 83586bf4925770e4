"""Tasks and questions on their way to Flower's nodes and back."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from flwr.app import ArrayRecord, Message

from horae.engines.dispatch import LATE, Answered, Errand
from horae.engines.messages import ClientFailure, Task
from horae.errors import HoraeError, one_line
from horae.flower.engine.checking import REFUSED, Checker
from horae.flower.engine.heads import TO_SERVER, content, message_of
from horae.flower.engine.nodes import Nodes
from horae.flower.engine.wire import array_record
from horae.pure.tree import Path

SOON_S, LATER_S = 0.05, 0.25  # between two looks for replies: the first, the longest
SPARE_S = 60.0  # that a message lives longer than anybody waits for it


@dataclass(frozen=True)
class Out:
    """A message that is out: what it is, to which node it went, and when."""

    errand: Errand
    node: int
    since: float


@dataclass
class GridPost:
    """All messages go out at once: each node has its own, and works on one at a time. A node's failure is its client's;
    a reply that nobody waits for is pulled and dropped.
    """

    grid: Any
    nodes: Nodes
    check: Checker
    timeout_s: float
    _waiting: deque[Errand] = field(default_factory=deque, init=False)
    _out: dict[str, Out] = field(default_factory=dict, init=False)
    _stray: set[int] = field(default_factory=set, init=False)

    @property
    def idle(self) -> bool:
        """Nothing is out, and nothing waits."""
        return not self._waiting and not self._out

    def add(self, errands: list[Errand], *, first: bool = False) -> None:
        """Send them with the next step."""
        self._waiting.extend(errands)

    def drop(self, flight: int) -> tuple[list[Errand], list[tuple[Errand, float]]]:
        """A round is over: its errands that were never sent, and those that are out, with the seconds since then."""
        unsent = [e for e in self._waiting if e.flight == flight]
        self._waiting = deque(e for e in self._waiting if e.flight != flight)
        now = time.monotonic()
        out = [(o.errand, now - o.since) for o in self._out.values() if o.errand.flight == flight]
        if out:
            self._stray.add(flight)
        return unsent, out

    def at_work(self) -> set[int]:
        """Clients of rounds that are over who have not answered."""
        return {o.errand.task.client for o in self._out.values() if o.errand.flight in self._stray}

    def step(self, most_s: float) -> list[Answered]:
        """Send what waits, and wait for the first answers, at most so long. In the order of the clients."""
        self._send()
        ends, pause = time.monotonic() + most_s, SOON_S
        while self._out:
            found = [*self._pulled(), *self._overdue()]
            self._stray &= {o.errand.flight for o in self._out.values()}
            if found or time.monotonic() >= ends:
                return sorted(found, key=lambda a: a.errand.task.client)
            time.sleep(min(pause, max(0.0, ends - time.monotonic())))
            pause = min(LATER_S, 1.5 * pause)
        return []

    def close(self) -> None:
        """Nobody waits for anything any more; messages that are out die of age."""
        self._waiting.clear()
        self._out.clear()

    def _send(self) -> None:
        errands, records = list(self._waiting), dict[int, ArrayRecord]()
        self._waiting.clear()
        messages, nodes = [], []
        for errand in errands:
            task, payload = errand.task, getattr(errand.task, "payload", b"")
            if payload and id(payload) not in records:
                records[id(payload)] = array_record(payload)
            kind, group = (
                ("train.round", _name(task.path, task.number)) if isinstance(task, Task) else ("query.ask", "ask")
            )
            node = self.nodes.by_client[task.client].node
            body = content(task, records.get(id(payload)))
            messages.append(Message(body, node, kind, ttl=self.timeout_s + SPARE_S, group_id=group))
            nodes.append(node)
        if messages:
            now = time.monotonic()
            for message_id, errand, node in zip(self.grid.push_messages(messages), errands, nodes, strict=True):
                self._out[message_id] = Out(errand, node, now)

    def _pulled(self) -> list[Answered]:
        found = []
        for message in self.grid.pull_messages(list(self._out)):
            out = self._out.pop(message.metadata.reply_to_message_id, None)
            if out is not None and out.errand.flight not in self._stray:  # else asked by nobody, or too late
                answer = self._read(out, message)
                found.append(Answered(out.errand, answer, time.monotonic() - out.since))
        return found

    def _read(self, out: Out, message: Message) -> Any:
        client = out.errand.task.client
        if message.metadata.src_node_id != out.node:
            return ClientFailure(client, REFUSED, f"node {message.metadata.src_node_id} answers for it")
        if message.has_error():
            code = getattr(message.error, "code", 0)
            return ClientFailure(client, "node", one_line(message.error.reason or f"error {code}", 160))
        try:
            said = message_of(message.content, TO_SERVER, self.check.most(out.errand.task))
        except HoraeError as error:
            return ClientFailure(client, REFUSED, one_line(error, 160))
        return self.check(out.errand.task, said)

    def _overdue(self) -> list[Answered]:
        now, found = time.monotonic(), []
        for message_id, out in list(self._out.items()):
            if now - out.since >= self.timeout_s:
                del self._out[message_id]
                why = f"no answer within site.timeout_s = {self.timeout_s:g} s"
                if out.errand.flight not in self._stray:
                    failure = ClientFailure(out.errand.task.client, LATE, why)
                    found.append(Answered(out.errand, failure, now - out.since))
        return found


def _name(path: Path, number: int) -> str:
    """Cohort and round, as Flower's logs show them."""
    return f"{'.'.join(map(str, (0, *path)))}/r{number}"
