"""A process with all that it starts: found by a mark in its environment, and killed whole."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warm import Warm, die_with_parent

BIN = Path(sys.executable).parent
SOURCE = Path(__file__).parents[2] / "src"
QUICK = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.05"}  # seconds; Flower's own is 1
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore",
    "COLUMNS": "200",
}
MARK = "HORAE_TEST_OWNER"


def quiet() -> dict[str, str]:
    """The environment of Flower's processes: ours, without what Flower reads from it, and with what keeps it quiet."""
    given = {k: v for k, v in os.environ.items() if not k.startswith(("FLWR_", "PYTEST_", "COV_"))}
    path = os.pathsep.join([str(SOURCE), *filter(None, [given.get("PYTHONPATH")])])
    return {**given, **QUIET, **QUICK, "PYTHONPATH": path}


def free_ports(n: int) -> list[int]:
    """Ports that nobody uses, all different: the kernel names them while all are held."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def until(ready: Any, seconds: float, what: str, every: float = 0.05) -> Any:
    """What `ready` returns once that is true. Errors: TimeoutError."""
    end = time.monotonic() + seconds
    while not (answer := ready()):
        if time.monotonic() > end:
            raise TimeoutError(what() if callable(what) else f"{what} did not come within {seconds:g} s")
        time.sleep(every)
    return answer


def members(mark: str, warm: Warm | None = None) -> dict[int, str]:
    """The living processes that carry a mark in their environment, by id, with their command lines.

    Flower starts its SuperExec in a session of its own, so sessions and process groups do not say what is ours.
    """
    found, wanted = {}, f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found if warm is None else {**found, **warm.forked(mark)}


@dataclass
class Owned:
    """One process with all that it starts, and the file its output goes to."""

    command: list[str]
    log: Path
    env: dict[str, str]
    warm: Warm | None = None
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.env = {**self.env, MARK: self.mark}
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=self.env,
                cwd=self.log.parent, start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip

    @property
    def text(self) -> str:
        """What it said so far, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))

    def find(self, word: str) -> list[int]:
        """Ids of its processes whose command line has the word."""
        return [pid for pid, line in members(self.mark, self.warm).items() if word in line]

    def signal(self, which: int, word: str = "") -> None:
        """Send a signal to it and to every process that it started, or to those with a word in their command line."""
        for pid in self.find(word):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)

    def kill(self) -> None:
        """Kill -9 it and its children, those that it still starts included, and reap it."""
        for _ in range(100):
            self.signal(signal.SIGKILL)
            self.process.poll()
            if not members(self.mark, self.warm):
                break
            time.sleep(0.02)
        self.process.wait(10)

    def stop(self, patience_s: float = 10.0) -> None:
        """Ask it to end, as an operator would, and kill what is left."""
        name = Path(self.command[0]).name
        found = members(self.mark) if self.warm is None else self.warm.forked(self.mark)  # not the script for it
        for pid in (pid for pid, line in found.items() if name in line):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            until(lambda: not self.find(name), patience_s, name)
        self.kill()
