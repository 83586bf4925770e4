"""One run's process: in a session of its own, fed and heard through pipes where that is called for."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from horae.sweep.variables import Mask

_LAST_S = 2.0  # how long a log is waited for once its process has ended
_OVER = b""
_ENDS = {128 + signal.SIGTERM: 128 + signal.SIGINT, 128 + signal.SIGKILL: -signal.SIGKILL}  # as they are told here


class Child:
    """A process on this machine. stdin: what it reads there; log: where its stderr goes, through a mask."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, mask: Mask, stdin: str = ""
    ) -> None:
        with log.open("wb") as words, tempfile.TemporaryFile() as told:  # on no disk under any name
            told.write(stdin.encode())
            told.seek(0)
            self._process = subprocess.Popen(
                command, stdin=told if stdin else subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if mask else words, env=dict(environment), start_new_session=True,
            )  # fmt: skip
        self._copy = heard(self._process.stderr, log, mask)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, once it has ended and its last words are in the log."""
        code = self._process.poll()
        if code is not None and self._copy is not None:
            self._copy.join(_LAST_S)
        return code

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        return self._process.wait()

    def send_signal(self, sig: int, /) -> None:
        """SIGKILL is for everything in its session, for nobody else would end that then."""
        if sig == signal.SIGKILL and self._process.poll() is None:
            os.killpg(self.pid, sig)
        else:
            self._process.send_signal(sig)


class Line:
    """A process on another host at the end of an ssh of ours: a script goes in, and then words that the script knows.

    Should this process die, the line ends, and the script stops its run. after: called once the ssh has ended with
    0, in a thread of its own.
    """

    def __init__(self, command: Sequence[str], script: str, log: Path, mask: Mask, after: Callable[[], None]) -> None:
        with log.open("wb") as words:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if mask else words, start_new_session=True,
            )  # fmt: skip
        self._copy = heard(self._process.stderr, log, mask)
        self._words: queue.Queue[bytes] = queue.Queue()
        self._words.put(script.encode())
        threading.Thread(target=self._say, daemon=True).start()
        self._after, self._over = threading.Thread(target=after, daemon=True), False

    @property
    def pid(self) -> int:
        """The ssh's number."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code of the run, 255 of the ssh, once what is done afterwards is done too."""
        code = self._process.poll()
        if code is None:
            return None
        if self._copy is not None:
            self._copy.join(_LAST_S)
        if not self._over:
            self._over = True
            self._words.put(_OVER)
            if code == 0:
                self._after.start()
        return None if self._after.is_alive() else _ENDS.get(code, code)

    def wait(self) -> int:
        """The exit code, when the ssh has ended."""
        return self._process.wait()

    def send_signal(self, sig: int, /) -> None:
        """Anything but SIGKILL asks the run to stop; SIGKILL ends it there, and the ssh here, if it is still open."""
        self._words.put(b"kill\n" if sig == signal.SIGKILL else b"stop\n")
        if sig == signal.SIGKILL:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST_S)
            if self._process.poll() is None:
                self._process.terminate()

    def _say(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError), self._process.stdin as line:  # it may have ended
            while (words := self._words.get()) != _OVER:
                line.write(words)
                line.flush()


def heard(words: IO[bytes] | None, log: Path, mask: Mask) -> threading.Thread | None:
    """Whoever copies what a process says to its log, line by line, without what the mask hides; None without a mask."""
    if words is None:
        return None

    def copy() -> None:
        with words, log.open("wb") as out:
            for line in words:
                out.write(mask.hide(line.decode(errors="replace")).encode())
                out.flush()

    copier = threading.Thread(target=copy, daemon=True)
    copier.start()
    return copier
