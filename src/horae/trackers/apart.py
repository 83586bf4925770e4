"""A tracker in a process of its own: the library's threads, words, waits and crashes are not the run's."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from horae.trackers.child import HOME
from horae.trackers.common import Point, Run, Tracker

KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of our environment
PATIENCE_S = 120.0  # for all that is left, at the end


class Failed(Exception):
    """What the tracker's process said, or how it ended."""


class Apart:
    """Speaks with `horae.trackers.child`, one thing at a time, without waiting for its answers.

    The process has no variable of our environment but `KEPT`, a home of its own that is empty, and a session of its
    own, so that Ctrl-C is ours alone. It ends when we do.
    """

    def __init__(self, tracker: Tracker, run: Run) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="horae-tracker-", ignore_cleanup_errors=True)
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "horae.trackers.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=_environment(tracker, self._home.name), encoding="utf-8",
            start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._waiting = False
        cls = type(tracker)
        what = {"tracker": f"{cls.__module__}:{cls.__qualname__}", "fields": asdict(tracker)}  # type: ignore[call-overload]
        self._ask("open", **what, run={**vars(run), "directory": str(run.directory)})

    def idle(self, timeout_s: float = 0.0) -> bool:
        """True when it has answered. Errors: Failed."""
        if not self._waiting:
            return True
        try:
            answer = self._answers.get(timeout=timeout_s) if timeout_s > 0 else self._answers.get_nowait()
        except queue.Empty:
            return False
        self._waiting = False
        if answer is None:
            raise Failed(f"its process ended with {self._process.wait()}")
        if "error" in (said := json.loads(answer)):
            raise Failed(said["error"])
        return True

    def tell(self, points: Sequence[Point]) -> None:
        """Send points; only when it is idle."""
        self._ask("tell", points=[vars(point) for point in points])

    def close(self, last: Sequence[Point], ended: bool) -> None:
        """Send what is left and wait until all is written. Errors: Failed."""
        until = time.monotonic() + PATIENCE_S
        try:
            self._wait(until)
            if last:
                self.tell(last)
                self._wait(until)
            self._ask("close", ended=ended)
            self._wait(until)
            self._process.stdin.close()  # type: ignore[union-attr]
            self._process.wait(max(until - time.monotonic(), 1.0))
        except subprocess.TimeoutExpired:
            raise Failed(f"its process did not end in {PATIENCE_S:.0f} s") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """Whatever is left of the process and of its home goes."""
        if self._process.poll() is None:  # its number is still its own
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self._home.cleanup()

    def _wait(self, until: float) -> None:
        if not self.idle(max(until - time.monotonic(), 0.001)):
            raise Failed(f"it did not answer in {PATIENCE_S:.0f} s")

    def _ask(self, do: str, **what: Any) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        self._waiting = True
        with suppress(BrokenPipeError):  # its reader says how it ended
            pipe.write(json.dumps({"do": do, **what}) + "\n")
            pipe.flush()

    def _read(self) -> None:
        with suppress(ValueError, OSError):  # the pipe was closed
            for line in self._process.stdout:  # type: ignore[union-attr]
                self._answers.put(line)
        self._answers.put(None)


def _environment(tracker: Tracker, home: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths = os.pathsep.join(dict.fromkeys(path or os.getcwd() for path in sys.path))
    return {**kept, "PYTHONPATH": paths, "HOME": home, HOME: home, **getattr(tracker, "environment", {})}
