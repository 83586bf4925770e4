"""A relay between SuperNodes and their SuperLink that counts the bytes of both directions, with the time of each."""

from __future__ import annotations

import bisect
import contextlib
import socket
import threading
import time


class Relay:
    """Listens on a port of its own, and hands on what comes to `port`."""

    def __init__(self, port: int) -> None:
        self._port, self._lock = port, threading.Lock()
        self._times, self._totals = [0.0], [0]
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port of this relay."""
        return f"127.0.0.1:{self._door.getsockname()[1]}"

    def between(self, a: float, b: float) -> int:
        """Bytes that went through, both ways, between two times of time.monotonic()."""
        with self._lock:
            first, last = (bisect.bisect_right(self._times, at) - 1 for at in (a, b))
            return self._totals[last] - self._totals[first]

    def close(self) -> None:
        """Nothing goes through any more."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        for one in (self._door, *self._open):
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._open |= {near, far}
                for one, other in ((near, far), (far, near)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._hand_on, args=(one, other), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 18):
                target.sendall(data)
                with self._lock:
                    self._times.append(time.monotonic())
                    self._totals.append(self._totals[-1] + len(data))
            target.shutdown(socket.SHUT_WR)
