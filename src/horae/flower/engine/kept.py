"""The process that a node keeps: `python -m horae.flower.engine.kept SOCKET`, its table on stdin.

It answers one message after the other, and ends with Flower's executor, or when nobody has asked for a while.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from horae.flower.engine.keeping import LOGGER, receive, send, with_blobs
from horae.flower.engine.wire import Node, Parts
from horae.pids import started

LOOK_S = 1.0  # between two looks whether its owner lives


class Heard(logging.Handler):
    """What is logged while a message is answered, for the process that brought it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append((record.levelno, record.getMessage()))


def main() -> None:
    """Import what the work needs, listen, answer."""
    place, table = Path(sys.argv[1]), json.load(sys.stdin)
    sys.path[:] = table["path"]
    brings = _found(table["data"])
    from horae.flower.engine.node import answer

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{place}.new")
        door.listen(4)
        door.settimeout(LOOK_S)
        os.rename(f"{place}.new", place)
        try:
            _serve(door, table, answer, brings)
        finally:
            for file in (place, place.with_suffix(".log"), place.with_suffix(".lock")):
                file.unlink(missing_ok=True)


def _found(named: str) -> Any:
    """The function that is named "module:name"; None for ""."""
    if not named:
        return None
    module, _, name = named.partition(":")
    found: Any = importlib.import_module(module)
    for word in name.split("."):
        found = getattr(found, word)
    return found


def _serve(door: socket.socket, table: dict[str, Any], answer: Callable[..., Parts], brings: Any) -> None:
    pid, since = table["owner"]
    last = time.monotonic()
    while started(pid) == since and time.monotonic() - last < table["keep_s"]:
        with contextlib.suppress(TimeoutError):
            line, _ = door.accept()
            with line:
                line.settimeout(None)
                try:
                    if _same_user(line):
                        _answered(line, answer, brings)
                except (OSError, EOFError, ValueError):  # who asked is gone
                    traceback.print_exc()
            last = time.monotonic()


def _same_user(line: socket.socket) -> bool:
    """Whether this user asks; the directory is closed to others anyway."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, user, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(user == os.getuid())


def _answered(line: socket.socket, answer: Callable[..., Parts], brings: Any) -> None:
    table, (head, payload, *blobs) = receive(line)
    node, heard = Node(table["config"], with_blobs(table["state"], blobs)), Heard()
    LOGGER.addHandler(heard)
    try:
        said = answer(Parts(head, payload), node, brings)
    finally:
        LOGGER.removeHandler(heard)
    state = {name: list(record) for name, record in node.state.items()}
    kept = [item for record in node.state.values() for item in record.values()]
    send(line, {"state": state, "log": heard.lines}, [*said, *kept])


if __name__ == "__main__":
    main()
