"""A log that somebody else is writing, read on from where the last look ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from horae.errors import RunError
from horae.report.log import Event, event_of
from horae.report.schema import NEEDED
from horae.server.finding import opened

CHUNK, LONGEST = 2**22, 2**26  # bytes read at a look, and of a line
TRACE = 64  # bytes before the offset that are looked at again, to notice a log that was cut back and written anew


class Tail:
    """Whole lines of a log, each once. fault: why it cannot be read on; behind: there is more to read at once.

    A last line without its end is being written: it waits. A log that was cut back, as a resumed run does, or
    replaced is read again from its first line; then `begun` has gone up by one.
    """

    def __init__(self, file: Path, shown: str) -> None:
        self.file, self.shown = file, shown
        self.begun, self.fault, self.behind, self.written_s = 0, "", False, 0.0
        self._stamp: tuple[int, int, int] | None = None
        self._forget()

    def _forget(self) -> None:
        self.offset, self.number, self._trace = 0, 0, b""

    def read(self, most: int = CHUNK) -> list[Event]:
        """The events that were written since; none where the log is broken (`fault`) or not there yet."""
        try:
            with opened(self.file, self.shown) as log:
                about = os.fstat(log.fileno())
                stamp = (about.st_ino, about.st_size, about.st_mtime_ns)
                if stamp == self._stamp and not self.behind:
                    return []
                self.written_s = about.st_mtime
                if self._is_another(log, about):
                    self._forget()
                    self.begun += 1
                self._stamp, self.fault = stamp, ""
                return self._events(log, about.st_size, most)
        except RunError as error:
            self.fault, self.behind = str(error), False
            return []

    def _is_another(self, log: BinaryIO, about: os.stat_result) -> bool:
        if self._stamp is None:
            return False
        log.seek(self.offset - len(self._trace))
        return about.st_ino != self._stamp[0] or log.read(len(self._trace)) != self._trace

    def _events(self, log: BinaryIO, size: int, most: int) -> list[Event]:
        log.seek(self.offset)
        data = log.read(most)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == most:  # a line longer than a look
            data += log.read(LONGEST - most) if most < LONGEST else b""
            end = data.rfind(b"\n") + 1
            if not end and len(data) >= LONGEST:
                raise RunError(f"{self.shown}, line {self.number + 1} is longer than {LONGEST:,} bytes")
        events = []
        try:
            for line in data[:end].split(b"\n")[:-1]:
                event = event_of(Path(self.shown), self.number + 1, line)
                self._pass(line)
                if event["event"] in NEEDED:
                    events.append(event)
        except RunError as error:  # what came before it is good
            self.fault, self.behind = str(error), False
            return events
        self.behind = end > 0 and self.offset < size and len(data) >= most
        return events

    def _pass(self, line: bytes) -> None:
        self.number += 1
        self.offset += len(line) + 1
        self._trace = (self._trace + line + b"\n")[-TRACE:]
