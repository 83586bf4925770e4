"""One process for each arm and seed, a few at a time, stopped together: the first Ctrl-C asks, the second kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

PARENT = "HORAE_PARENT"  # children end when this process does
_BLINK_S = 0.05  # between two looks at the children
_STOPPED = 128 + signal.SIGINT


@dataclass(frozen=True)
class Job:
    """One arm and seed. experiment: its file. directory: where its run lies. log: what it says on stderr."""

    arm: str
    seed: int
    experiment: Path
    directory: Path
    log: Path

    @property
    def finished(self) -> bool:
        """True if there is nothing left to do."""
        return (self.directory / "summary.json").exists()

    def command(self, data_root: Path | None) -> list[str]:
        """What begins the run, or goes on with it."""
        place = ["--out", str(self.directory)]
        if (self.directory / "experiment.toml").exists():
            place = ["--resume", str(self.directory)]
        what = [str(self.experiment)] if place[0] == "--out" else []
        data = [] if data_root is None else ["--data-root", str(data_root)]
        return [sys.executable, "-m", "horae", "run", *what, *place, *data, "--json"]


class Wishes:
    """How often the user has asked to stop."""

    def __init__(self) -> None:
        self.stops = 0

    def count(self, signum: int, frame: FrameType | None) -> None:
        """A signal handler."""
        self.stops += 1


class Watcher(Protocol):
    """Somebody who looks on."""

    def look(self, running: Sequence[Job]) -> None:
        """Called many times a second."""

    def say(self, words: str) -> None:
        """Something that the user should know."""


class Child(Protocol):
    """A started job, as a `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""

    def send_signal(self, sig: int, /) -> None:
        """SIGINT asks it to stop, SIGKILL ends it."""

    def wait(self) -> int:
        """Its exit code, when it has ended."""


class Crew(Protocol):
    """Who starts jobs."""

    def pick(self, waiting: Sequence[Job], running: Mapping[Job, Child]) -> Job | None:
        """One of those waiting, if there is room for it."""

    def start(self, job: Job) -> Child:
        """Begin it, or go on with it."""

    def ended(self, job: Job, code: int, reason: str) -> None:
        """It has. reason: why, where the code is not 0."""


def carry_out(
    jobs: Sequence[Job], at_once: int, command: Callable[[Job], list[str]], watcher: Watcher
) -> tuple[dict[Job, str], bool]:
    """Run every job; the reasons of those that failed, and whether all was stopped before the last one ended."""
    return look_after(jobs, _Here(at_once, command), watcher)


def look_after(jobs: Sequence[Job], crew: Crew, watcher: Watcher) -> tuple[dict[Job, str], bool]:
    """The same by whoever starts them."""
    waiting, running, failed = deque(jobs), dict[Job, Child](), dict[Job, str]()
    stopped = False
    with _listening() as wishes, _ended(running):
        asked = 0
        while running or (waiting and not wishes.stops):
            while waiting and not wishes.stops and (job := crew.pick(waiting, running)) is not None:
                waiting.remove(job)
                running[job] = crew.start(job)
            if wishes.stops > asked:
                _pass_on(running, kill=wishes.stops > 1)
                if not asked:
                    watcher.say("stopping after the rounds in flight; once more to stop at once")
                asked = wishes.stops
            watcher.look(list(running))
            time.sleep(_BLINK_S)
            for job, process in list(running.items()):
                if (code := process.poll()) is not None:
                    del running[job]
                    reason = _reason(job, code) if code else ""
                    if code and wishes.stops and code in (_STOPPED, -signal.SIGINT, -signal.SIGKILL):
                        stopped = True
                    elif code:
                        failed[job] = reason
                    crew.ended(job, code, reason)
    return failed, stopped or bool(waiting)


@dataclass(frozen=True)
class _Here:
    """Processes of this machine, so many at once."""

    at_once: int
    command: Callable[[Job], list[str]]

    def pick(self, waiting: Sequence[Job], running: Mapping[Job, Child]) -> Job | None:
        return waiting[0] if len(running) < self.at_once else None

    def start(self, job: Job) -> Child:
        return _start(job, self.command(job))

    def ended(self, job: Job, code: int, reason: str) -> None:
        pass


def _start(job: Job, command: list[str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C on the terminal comes to this process alone."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    job.directory.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, PARENT: str(os.getpid())}
    with job.log.open("wb") as words:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words, env=environment,
            start_new_session=True,
        )  # fmt: skip


def _pass_on(running: Mapping[Job, Child], kill: bool) -> None:
    for process in running.values():
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL if kill else signal.SIGINT)


def _reason(job: Job, code: int) -> str:
    """The last thing a process said, or how it ended."""
    lines = [line.strip() for line in job.log.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = next((line for line in reversed(lines) if line), "").removeprefix("horae: ")
    if code < 0:
        names = {int(s): s.name for s in signal.Signals}
        return f"killed by {names.get(-code, f'signal {-code}')}" + (f"; it said: {said}" if said else "")
    return said or f"exit code {code}, without a word"


def listens() -> bool:
    """Whether jobs are stopped by Ctrl-C and SIGTERM: only a main thread hears of them."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _listening() -> Iterator[Wishes]:
    """Count Ctrl-C and SIGTERM instead of dying of them, where that can be."""
    wishes = Wishes()
    if not listens():
        yield wishes
        return
    before = {number: signal.signal(number, wishes.count) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ended(running: Mapping[Job, Child]) -> Iterator[None]:
    """Leave no child behind, whatever happens."""
    try:
        yield
    finally:
        _pass_on(running, kill=True)
        for process in running.values():
            process.wait()
