"""An aggregator as a process of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

from horae.engines.dispatch import GONE, LATE
from horae.errors import RunError
from horae.supervised.frames import receive, send
from horae.supervised.supervisor import Crash

DYING_S = 5.0  # from the end of a connection to the end of its process


class Process:
    """A process with a `Host`, reached through a pair of sockets. It ends with the one that began it."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        search = os.pathsep.join(place or os.getcwd() for place in sys.path)
        command = [sys.executable, "-P", "-m", "horae.supervised.child", str(theirs.fileno())]
        try:
            with theirs:
                self._child = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": search}
                )
        except OSError as error:
            self._ours.close()
            raise RunError(f"site.aggregation: no process for an aggregator ({error.strerror}); free some") from None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._child.pid

    def ask(self, request: bytes, timeout_s: float) -> bytes:
        """The host's answer. Errors: Crash where the process is gone or too late."""
        until = time.monotonic() + timeout_s
        try:
            send(self._ours, request, until)
            return receive(self._ours, until)
        except TimeoutError:
            raise Crash(LATE, f"no answer within site.timeout_s = {timeout_s:g} s") from None
        except OSError:
            raise Crash(GONE, self._last_words()) from None

    def end(self) -> None:
        """Kill it: what it knows the loop knows."""
        self._ours.close()
        self._child.kill()
        self._child.wait()
        if self._child.stdin:
            self._child.stdin.close()

    def _last_words(self) -> str:
        try:
            status = self._child.wait(DYING_S)
        except subprocess.TimeoutExpired:
            return "its process hung up"
        if status >= 0:
            return f"its process ended with status {status}"
        return f"its process was ended by signal {-status} ({signal.strsignal(-status)})"
