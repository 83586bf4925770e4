"""The operator's end of everybody's connection: TCP on 127.0.0.1, and nothing else."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from horae.census import frames
from horae.census.frames import Frames, framed
from horae.errors import RunError, WireError

CHUNK = 2**18
Event = tuple[int, bytes | None]  # which client, what it said; None: its connection is cut


class Link:
    """One connection; the client is known once it has greeted."""

    def __init__(self, line: socket.socket) -> None:
        self.line, self.frames, self.challenge = line, Frames(frames.GREETING), os.urandom(frames.CHALLENGE)
        self.client: int | None = None
        self.waiting: deque[memoryview] = deque()
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def put(self, data: bytes) -> None:
        self.waiting.append(memoryview(framed(data)))

    def flush(self) -> None:
        """Send what goes without waiting. Errors: OSError where the connection is cut."""
        while self.waiting:
            try:
                sent = self.line.send(self.waiting[0])
            except BlockingIOError:
                return
            if sent == len(self.waiting[0]):
                self.waiting.popleft()
            else:
                self.waiting[0] = self.waiting[0][sent:]

    def heard(self) -> list[bytes]:
        """What has arrived. Errors: OSError where the connection is cut, WireError where it is no census's."""
        try:
            data = self.line.recv(CHUNK)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError
        return self.frames.feed(data)


class Hub:
    """Listens, lets in whoever holds the token, and moves bytes. `strangers` are connections that were turned away."""

    def __init__(self, token: bytes, most: int) -> None:
        self.strangers = 0
        self._token, self._most = token, most
        self._links: dict[int, Link] = {}
        self._identities: dict[int, bytes] = {}
        self._early: list[Event] = []  # from those that greeted and were cut off before everybody was there
        self._all = selectors.DefaultSelector()
        self._door = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._door.setblocking(False)
        self._all.register(self._door, selectors.EVENT_READ)
        self.port = int(self._door.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for key in list(self._all.get_map().values()):
            self._all.unregister(key.fileobj)
            (key.data.line if key.data else self._door).close()
        self._all.close()
        self._door.close()

    def admit(self, clients: Collection[int], within_s: float, ended: Callable[[], bool]) -> dict[int, bytes]:
        """Wait for these clients, then tell each everybody's identity, and close the door. Errors: RunError."""
        end, wanted = time.monotonic() + within_s, set(clients)
        while wanted - self._identities.keys():
            left = end - time.monotonic()
            if left <= 0 or ended():
                missing = len(wanted - self._identities.keys())
                why = f"within {within_s:g} s" if left <= 0 else "before their processes ended; is memory short?"
                raise RunError(f"{missing} of {len(wanted)} members did not connect {why}")
            self._early += self._step(min(left, 0.2), wanted)
        self._all.unregister(self._door)
        self._door.close()
        for link in [key.data for key in self._all.get_map().values() if key.data.client is None]:
            self._turn_away(link)
        for link in self._links.values():
            self._send(link, frames.write_directory(self._token, link.challenge, self._identities))
            link.frames.most = self._most
        return dict(self._identities)

    def send(self, client: int, data: bytes) -> None:
        """To a client; what is sent to one whose connection is cut is lost."""
        if client in self._links:
            self._send(self._links[client], data)

    def poll(self, timeout_s: float) -> list[Event]:
        """What arrives next: empty after so many seconds of nothing."""
        end = time.monotonic() + timeout_s
        if self._early:
            events, self._early = self._early, []
            return events
        while True:
            left = end - time.monotonic()
            events = self._step(max(0.0, left), ())
            if events or left <= 0:
                return events

    def drain(self, within_s: float) -> None:
        """Wait until what was sent is on its way."""
        end = time.monotonic() + within_s
        while any(link.waiting for link in self._links.values()) and time.monotonic() < end:
            self._step(0.05, ())

    def _step(self, timeout_s: float, wanted: Collection[int]) -> list[Event]:
        events: list[Event] = []
        for key, ready in self._all.select(timeout_s):
            if key.data is None:
                self._answer()
                continue
            link: Link = key.data
            try:
                if ready & selectors.EVENT_WRITE:
                    self._flush(link)
                for data in link.heard() if ready & selectors.EVENT_READ else ():
                    if link.client is None:
                        self._greeted(link, data, wanted)
                    else:
                        events.append((link.client, data))
            except (OSError, WireError):
                events.extend(self._cut(link))
        return events

    def _answer(self) -> None:
        """Somebody is at the door."""
        try:
            line, _ = self._door.accept()
        except OSError:
            return
        link = Link(line)
        self._all.register(line, selectors.EVENT_READ, link)
        self._send(link, link.challenge)

    def _greeted(self, link: Link, data: bytes, wanted: Collection[int]) -> None:
        client, identity = frames.read_greeting(self._token, link.challenge, data)
        if client not in wanted or client in self._identities:
            raise WireError(f"client {client} is not expected, or is here already")
        link.client, self._links[client], self._identities[client] = client, link, identity

    def _send(self, link: Link, data: bytes) -> None:
        link.put(data)
        try:
            self._flush(link)
        except OSError:
            link.waiting.clear()  # the next step finds the connection cut

    def _flush(self, link: Link) -> None:
        link.flush()
        wish = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.waiting else 0)
        self._all.modify(link.line, wish, link)

    def _cut(self, link: Link) -> list[Event]:
        if link.client is None:
            self._turn_away(link)
            return []
        self._all.unregister(link.line)
        link.line.close()
        del self._links[link.client]
        return [(link.client, None)]

    def _turn_away(self, link: Link) -> None:
        self.strangers += 1
        self._all.unregister(link.line)
        link.line.close()
