"""Every run in a place: what is known of it so far, and whether it is running."""

from __future__ import annotations

import json
import threading
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from horae.errors import ConfigError, RunError, one_line
from horae.report.log import JSON
from horae.report.schema import fault_of_summary
from horae.server.finding import LOG, SETTINGS, SUMMARY, Found, find, is_locked, locks, read_small
from horae.server.fold import Fold
from horae.server.tail import CHUNK, Tail
from horae.settings import flat

EVERY_S = 0.5  # no more than one look in this time, however many pages are open
AT_ONCE, LEAST = 2**24, 2**16  # bytes of logs read at a look: of all, and of each run however many there are
FRESH_S = 15.0  # a log written to in this time is of a running run, where its lock cannot be seen


@dataclass
class Follower:
    """An arm's log and what it said."""

    tail: Tail
    fold: Fold = field(default_factory=Fold)
    begun: int = 0

    def look(self, most: int) -> int:
        """Read on; the bytes that were read."""
        before = self.tail.offset
        events = self.tail.read(most)
        if self.tail.begun != self.begun:
            self.fold, self.begun, before = Fold(), self.tail.begun, 0
        for event in events:
            self.fold.take(event)
        return self.tail.offset - before


@dataclass
class Watched:
    """A run. why: what is broken, or empty. version: goes up with every change that can be seen."""

    name: str
    directory: Path
    main: Follower
    rival: Follower
    state: str = "running"
    why: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    _files: dict[str, tuple[int, int]] = field(default_factory=dict)
    _faults: dict[str, str] = field(default_factory=dict)
    _seen: tuple[Any, ...] = ()

    @property
    def has_rival(self) -> bool:
        """True where another arm was, or is, trained beside it."""
        return bool(self.rival.fold.run)

    @property
    def behind(self) -> bool:
        """True while a long log is still being read."""
        return self.main.tail.behind or self.rival.tail.behind

    def look(self, most: int, now_s: float, held: set[str] | None) -> int:
        """Read on, judge, and say how many bytes that took. held: the locks there are."""
        nbytes = self.main.look(most)
        if (self.directory / "baseline" / LOG).exists() and not (self.directory / "baseline").is_symlink():
            nbytes += self.rival.look(most)
        self._read(SUMMARY, self._take_summary)
        self._read(SETTINGS, self._take_settings)
        self.state, self.why = self._judge(now_s, held)
        read = [(arm.tail.offset, arm.begun) for arm in (self.main, self.rival)]
        seen = (read, self.state, self.why, self.behind, dict(self._files))
        if seen != self._seen:
            self._seen = seen
            self.version += 1
        return nbytes

    def _judge(self, now_s: float, held: set[str] | None) -> tuple[str, str]:
        locked = is_locked(self.directory, held)
        arms = [self.main, self.rival] if self.has_rival else [self.main]
        fault = next((arm.tail.fault for arm in arms if arm.tail.fault), "") or next(iter(self._faults.values()), "")
        if locked and (not self.main.fold.run or not fault):
            return "running", ""
        if fault:
            return "broken", fault
        if not self.main.fold.run:
            return "broken", f"{self.main.tail.shown} has no events"
        if all(arm.fold.finished for arm in arms):
            return "finished", ""
        fresh = now_s - max(arm.tail.written_s for arm in arms) < FRESH_S
        return ("running" if fresh or self.behind else "stopped"), ""

    def _read(self, name: str, take: Any) -> None:
        """Read a small file again if it changed."""
        try:
            about = (self.directory / name).stat()
        except OSError:
            return
        stamp = (about.st_size, about.st_mtime_ns)
        if self._files.get(name) == stamp:
            return
        self._files[name] = stamp
        self._faults.pop(name, None)
        shown = f"{self.name}/{name}"
        try:
            take(read_small(self.directory / name, shown), shown)
        except RunError as error:
            self._faults[name] = str(error)

    def _take_summary(self, text: str, shown: str) -> None:
        try:
            summary = JSON.decode(text)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{shown} is no JSON: {one_line(error, 80)}") from None
        fault = fault_of_summary(summary)
        if fault:
            raise RunError(f"{shown}: {fault}")
        self.summary = summary

    def _take_settings(self, text: str, shown: str) -> None:
        try:
            self.settings = flat(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RunError(f"{shown} is broken: {one_line(error, 80)}") from None


class Watch:
    """All runs below a place. lock: hold it while what was asked for is looked at, where there are several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.lock = threading.RLock()
        self.found = Found({}, [])
        self._runs: dict[str, Watched] = {}
        self._looked_s = float("-inf")
        find(self.root)  # refuses a place that is not there

    def look(self) -> None:
        """Find new runs and read on in all of them, at most every `EVERY_S` seconds."""
        with self.lock:
            now = time.monotonic()
            if now - self._looked_s < EVERY_S:
                return
            try:
                self.found = find(self.root)
            except RunError:  # it was there when the server began
                self.found = Found({}, [])
            self._runs = {name: self._runs.get(name) or _watched(name, at) for name, at in self.found.runs.items()}
            left, held = AT_ONCE, locks()
            for run in self._runs.values():
                left -= run.look(min(CHUNK, max(left, LEAST)), time.time(), held)
            self._looked_s = time.monotonic()

    def all(self) -> list[Watched]:
        """The runs, the one written last first."""
        self.look()
        return list(self._runs.values())

    def get(self, name: str) -> Watched:
        """A run by its name. Errors: ConfigError for one that is not there: names are looked up, never opened."""
        self.look()
        if name not in self._runs:
            raise ConfigError(f"there is no run {json.dumps(one_line(name, 80))} in {one_line(self.root, 120)}")
        return self._runs[name]


def _watched(name: str, directory: Path) -> Watched:
    shown = name if name != "." else directory.name
    main, rival = Tail(directory / LOG, f"{shown}/{LOG}"), Tail(directory / "baseline" / LOG, f"{shown}/baseline/{LOG}")
    return Watched(name, directory, Follower(main), Follower(rival))
