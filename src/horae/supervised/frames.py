"""Messages through a socket: eight bytes that say how long, little-endian, then the message."""

from __future__ import annotations

import socket
import time

LENGTH = 8


def send(to: socket.socket, message: bytes, until: float = float("inf")) -> None:
    """A message with its length. Errors: OSError; TimeoutError."""
    to.settimeout(_left(until))
    to.sendall(len(message).to_bytes(LENGTH, "little"))
    to.settimeout(_left(until))
    to.sendall(message)


def receive(source: socket.socket, until: float = float("inf")) -> bytes:
    """The next message. Errors: OSError, ConnectionError at its end; TimeoutError."""
    return _exactly(source, int.from_bytes(_exactly(source, LENGTH, until), "little"), until)


def _exactly(source: socket.socket, nbytes: int, until: float) -> bytes:
    parts, missing = [], nbytes
    while missing:
        source.settimeout(_left(until))
        part = source.recv(min(missing, 2**20))
        if not part:
            raise ConnectionError("nobody is there any more")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _left(until: float) -> float | None:
    """Seconds from now on; None is any number."""
    if until == float("inf"):
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
