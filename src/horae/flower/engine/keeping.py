"""A node's process that outlives a message: what was imported and read for one message is there for the next.

Flower starts a Python process for each message. Where that process can, it hands the message to one that horae keeps
beside the SuperNode (kept.py), over a socket that this user alone may open; it need not import torch then, nor make
the client's samples again. Where anything is in the way, it does the work itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from horae import __version__
from horae.errors import require
from horae.flower.engine.wire import Node, Parts
from horae.pids import started

LOGGER = logging.getLogger("flwr.horae")
KEEP_S = 600.0  # idle, then it ends
START_S = 120.0  # that it may take to import
DAY_S = 86_400.0
MOST = 1 << 35  # bytes of a message over the socket
Table = dict[str, Any]


def through(parts: Parts, node: Node, brings: Callable[..., Any] | None) -> Parts | None:
    """The kept process's answer, and node.state as it left it; None where there can be none. Errors: ConfigError."""
    keep_s = kept_for(node.config)
    named = _named(brings)
    if not keep_s or named is None or Path(sys.argv[0]).name != "flwr-clientapp" or not hasattr(socket, "AF_UNIX"):
        return None
    made = {"path": sys.path, "data": named, "owner": owner(), "keep_s": keep_s}
    try:
        try:
            table, (head, payload, *blobs) = _asked(parts, node, made)
        except ConnectionError:  # it ended just then: the next one is asked
            table, (head, payload, *blobs) = _asked(parts, node, made)
    except (OSError, EOFError, ValueError) as error:
        LOGGER.warning("no process is kept for this node (%s); messages take longer", error)
        return None
    for level, words in table["log"]:
        LOGGER.log(level, "%s", words)
    node.state = with_blobs(table["state"], blobs)
    return Parts(head, payload)


def _asked(parts: Parts, node: Node, made: Table) -> tuple[Table, list[bytes]]:
    with socket.socket(socket.AF_UNIX) as line:
        _connect(line, made, node)
        send(line, {"config": node.config, "state": _sizes(node.state)}, [*parts, *_blobs(node.state)])
        return receive(line)


def kept_for(config: Table) -> float:
    """Seconds that an idle process is kept: the node configuration's `keep-s`; 0 is never. Errors: ConfigError."""
    found = config.get("keep-s", KEEP_S)
    number = isinstance(found, int | float) and not isinstance(found, bool)
    require(number and 0 <= found < 1e9, "node-config keep-s", "be seconds, 0 or more", found)
    return float(found)


def _named(brings: Callable[..., Any] | None) -> str | None:
    """The function as "module:name", "" for none, None where it cannot be imported by that."""
    if brings is None:
        return ""
    module, name = getattr(brings, "__module__", ""), getattr(brings, "__qualname__", "<")
    found: Any = sys.modules.get(module)
    for word in name.split("."):
        found = getattr(found, word, None)
    return f"{module}:{name}" if found is brings and module != "__main__" else None


def owner() -> tuple[int, str]:
    """The process with which a kept one ends, and when that one began: Flower's executor, which starts ClientApps."""
    words = sys.argv
    told = words[words.index("--parent-pid") + 1] if "--parent-pid" in words[:-1] else ""
    pid = int(told) if told.isdigit() else os.getppid()
    return pid, started(pid)


def _connect(line: socket.socket, table: Table, node: Node) -> None:
    """To the process that does this work on this node; it is started if there is none. Errors: OSError."""
    file = sys.modules[table["data"].partition(":")[0]].__file__ if table["data"] else None
    made = os.stat(file).st_mtime_ns if file else 0
    key = [table, sorted(map(str, node.config.items())), sys.executable, __version__, file, made]
    place = _place() / hashlib.blake2b(json.dumps(key).encode(), digest_size=8).hexdigest()
    with contextlib.suppress(OSError):
        return line.connect(str(place))
    with _alone(place.with_suffix(".lock")):
        with contextlib.suppress(OSError):  # another was quicker
            return line.connect(str(place))
        _swept(place.parent)
        process = _begun(place, table)
        ends = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < ends:
            with contextlib.suppress(OSError):
                return line.connect(str(place))
            time.sleep(0.02)
        process.kill()
    words = place.with_suffix(".log").read_text(errors="replace").strip().splitlines()
    raise OSError(words[-1][:160] if words else "it did not start")


def _place() -> Path:
    """A directory of this user's, closed to others. Errors: OSError."""
    place = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"horae-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    about = place.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise PermissionError(f"{place} is open to others")
    return place


def _swept(place: Path) -> None:
    """Take away what killed processes left there a day ago or longer."""
    for file in place.iterdir():
        with contextlib.suppress(OSError):
            if file.is_socket() and time.time() - file.stat().st_mtime > DAY_S:
                with socket.socket(socket.AF_UNIX) as line:
                    if line.connect_ex(str(file)):
                        for one in (file, file.with_suffix(".log"), file.with_suffix(".lock")):
                            one.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    import fcntl

    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _begun(place: Path, table: Table) -> subprocess.Popen[bytes]:
    """A kept process, in a session of its own."""
    command = [sys.executable, "-m", "horae.flower.engine.kept", str(place)]
    with place.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as words:  # it has ended: its log says why
        words.write(json.dumps(table).encode())
    return process


def send(line: socket.socket, table: Table, blobs: list[bytes]) -> None:
    """One message: a table, and bytes."""
    head = json.dumps({**table, "blobs": [len(blob) for blob in blobs]}).encode()
    line.sendall(struct.pack(">Q", len(head)) + head)
    for blob in blobs:
        line.sendall(blob)


def receive(line: socket.socket) -> tuple[Table, list[bytes]]:
    """The next message. Errors: EOFError, ValueError."""
    (size,) = struct.unpack(">Q", _read(line, 8))
    table = json.loads(_read(line, size))
    return table, [_read(line, n) for n in table.pop("blobs")]


def _read(line: socket.socket, size: int) -> bytes:
    if not 0 <= size <= MOST:
        raise ValueError(f"a message of {size} bytes")
    found = bytearray(size)
    view, at = memoryview(found), 0
    while at < size:
        n = line.recv_into(view[at:])
        if not n:
            raise EOFError("it ended before it had answered")
        at += n
    return bytes(found)


def _sizes(state: dict[str, dict[str, bytes]]) -> dict[str, list[str]]:
    return {name: list(record) for name, record in state.items()}


def _blobs(state: dict[str, dict[str, bytes]]) -> list[bytes]:
    return [item for record in state.values() for item in record.values()]


def with_blobs(names: dict[str, list[str]], blobs: list[bytes]) -> dict[str, dict[str, bytes]]:
    """A state from its names and bytes."""
    left = iter(blobs)
    return {name: {key: next(left) for key in keys} for name, keys in names.items()}
