"""Which process does something: written down, recognised again, signalled. A later one with its number is not it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from horae.files import PROCESS, write_whole

PROC = Path("/proc")
_DEAD = ("Z", "X")  # states of a process that has ended, and whose parent has not asked yet


@dataclass(frozen=True)
class Process:
    """A process. started: when, as the system says it; boot: which start of the system that is counted from; host: its
    name. gentle: it answers SIGTERM by ending its round, as `horae run` does.
    """

    pid: int
    started: str
    boot: str
    host: str
    gentle: bool = True

    @property
    def near(self) -> bool:
        """False for a process of another machine: nothing can be seen of it from here."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """True while it runs here: its number alone says nothing, for another one may have it by now."""
        known = self.near and self.boot == _boot() and bool(self.started)
        return known and started(self.pid) == self.started

    def send(self, number: int, *, group: bool = False) -> bool:
        """Send it a signal; group: also to what it started, where it leads a group. False if it runs no more."""
        handle = _handle(self.pid)
        try:
            if not self.alive:  # asked after the handle was had: from here on it can be nobody else
                return False
            if group and os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            elif handle is not None:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        finally:
            if handle is not None:
                os.close(handle)
        return True

    def table(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)


def process(pid: int, *, gentle: bool = True) -> Process:
    """A process of this machine by its number."""
    return Process(pid, started(pid), _boot(), socket.gethostname(), gentle)


def known(table: Any) -> Process | None:
    """What was written down, or None if it is nothing of that kind."""
    fields = {"pid": int, "started": str, "boot": str, "host": str}
    if not isinstance(table, Mapping) or not all(isinstance(table.get(key), kind) for key, kind in fields.items()):
        return None
    gentle = table.get("gentle", True) is True
    return Process(table["pid"], table["started"], table["boot"], table["host"], gentle) if table["pid"] > 1 else None


def started(pid: int) -> str:
    """When a process was started, in the system's words; empty if there is none with that number."""
    try:
        words = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()  # (name), state, ...
        return "" if words[0] in _DEAD else words[19]
    except (FileNotFoundError, ProcessLookupError):
        return "" if (PROC / "self").exists() else _asked(pid)
    except (OSError, IndexError):
        return ""


@contextmanager
def recorded(directory: Path, *, gentle: bool | None = None) -> Iterator[None]:
    """While this lasts, the directory says that this process works in it; one that is killed leaves that behind.

    gentle: else, whether something here listens to SIGTERM, as the commands do.
    """
    if gentle is None:
        gentle = signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, None)
    write_whole(directory / PROCESS, json.dumps(process(os.getpid(), gentle=gentle).table()) + "\n")
    try:
        yield
    finally:
        with suppress(OSError):
            (directory / PROCESS).unlink(missing_ok=True)


def at_work(directory: Path) -> Process | None:
    """The process that works in a directory, or that did when it was killed; None where none is written down."""
    try:
        return known(json.loads((directory / PROCESS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _asked(pid: int) -> str:
    """The same where there is no /proc: to the second."""
    try:
        command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return ""
    return "" if not told or told[0][0] in _DEAD else " ".join(told[1:])


def _boot() -> str:
    with suppress(OSError):
        return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    return ""


def _handle(pid: int) -> int | None:
    """Something that stands for a process and for no later one; None where the system has no such thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    with suppress(OSError):
        return os.pidfd_open(pid)
    return None
